//! The network between the gateway and a node fails in one way after another.

use std::{thread, time::Duration};

use miroir_tests::{Fault, Network, cluster, eventually, load::Load};
use serde_json::json;

use super::{PROGRAM, change, held, phase, settled};

#[test]
fn whatever_the_network_to_a_node_does_is_not_noticed() {
    let mut cluster = cluster(PROGRAM).nodes(2).groups(2).linked().start();
    let load = Load::on(&cluster);
    let faults = [
        ("delayed", Fault::Delay(Duration::from_millis(200))),
        ("lossy", Fault::Loss(10)),
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

/// Shards are copied from nodes of which one is hard to reach, first in one way and then in another.
#[test]
fn the_fleet_changes_over_a_network_that_fails() {
    let mut cluster = cluster(PROGRAM).nodes(2).groups(2).linked().start();
    let (client, load) = (cluster.client(), Load::on(&cluster));
    let mut n5 = cluster.spare_node("n5");
    n5["group"] = json!("g1");
    let report = load.during(|course| {
        course.begins("a node joins");
        change(&client, &json!({ "add": { "nodes": [n5] } }));
        for fault in [Fault::Loss(4), Fault::FromNode, Fault::ToNode, Fault::Reset] {
            cluster.link(1).set(fault);
            thread::sleep(phase() / 3);
            cluster.link(1).set(Fault::None);
            thread::sleep(phase() / 6);
        }
        settled(&client, "done");
        // A node that could not be reached when its old copies were to be removed still has them.
        eventually("old copies are gone", || {
            let fleet = client.get("/_miroir/nodes").send().ok();
            let mut nodes = fleet["nodes"].as_array().into_iter().flatten();
            nodes.all(|node| node["state"] == "up").then_some(())
        });
    });
    report.assert_clean();
    report.assert_writes_within(held());
    load.check(&mut cluster, 2);
}

/// The kernel's own connections over a network that fails, as far as this machine can have one.
#[test]
fn whatever_a_network_of_the_kernels_does_to_a_node_is_not_noticed() {
    let networks: Result<Vec<Network>, String> = (0..4).map(|_| Network::new()).collect();
    let networks = match networks {
        Ok(networks) => networks,
        Err(why) => return println!("skipped: there are no networks of their own here: {why}"),
    };
    let mut cluster = cluster(PROGRAM).nodes(2).groups(2).networks(networks).start();
    let load = Load::on(&cluster);
    let faults = [
        ("late", Fault::Delay(Duration::from_millis(100))),
        ("lossy", Fault::Loss(10)),
        ("narrow", Fault::Narrow),
        ("cut to the node", Fault::ToNode),
        ("cut from the node", Fault::FromNode),
        ("cut", Fault::Both),
    ];
    let report = load.during(|course| {
        course.spends("healthy", phase() / 2);
        for (name, fault) in faults {
            if !cluster.nodes()[1].network().can(fault) {
                println!("left out: this kernel has no `netem`, so no network is {name}");
                continue;
            }
            cluster.nodes()[1].network().set(fault);
            course.spends(name, phase());
            cluster.nodes()[1].network().set(Fault::None);
            course.spends("healed", phase() / 2);
        }
    });
    report.assert_clean();
    report.assert_writes_within(held());
    load.check(&mut cluster, 2);
}
