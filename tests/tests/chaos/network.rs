//! The network between the gateway and a node fails in one way after another.

use std::time::Duration;

use miroir_tests::{Fault, cluster, load::Load};

use super::{PROGRAM, held, phase};

#[test]
fn whatever_the_network_to_a_node_does_is_not_noticed() {
    let mut cluster = cluster(PROGRAM).nodes(2).groups(2).linked().start();
    let load = Load::on(&cluster);
    let faults = [
        ("delayed", Fault::Delay(Duration::from_millis(200))),
        ("cut to the node", Fault::ToNode),
        ("cut from the node", Fault::FromNode),
        ("cut", Fault::Both),
        ("reset", Fault::Reset),
    ];
    let report = load.during(|course| {
        course.spends("healthy", phase());
        for (name, fault) in faults {
            cluster.link(1).set(fault);
            course.spends(name, phase());
            cluster.link(1).set(Fault::None);
            course.spends("healed", phase() / 2);
        }
    });
    report.assert_clean();
    report.assert_writes_within(held());
    load.check(&mut cluster, 2);
}
