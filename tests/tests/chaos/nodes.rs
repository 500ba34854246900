//! Nodes are killed, or held still.

use std::{thread, time::Duration};

use miroir_tests::{
    Cluster, cluster, eventually,
    load::{Load, Report},
};

use super::{PROGRAM, held, judges_times, phase};

/// Two groups of two nodes.
fn two_groups() -> Cluster {
    cluster(PROGRAM).nodes(2).groups(2).start()
}

/// After this long searches are as fast as they were, though a node is away.
const RECOVERY: Duration = Duration::from_secs(1);

fn assert_recovered(report: &Report, away: &str) {
    let (before, after) = (report.searches("healthy", Duration::ZERO), report.searches(away, RECOVERY));
    if judges_times() {
        assert!(after.p99 < before.p99 * 2, "{report}");
    }
}

#[test]
fn a_killed_node_is_not_noticed() {
    let mut cluster = two_groups();
    let load = Load::on(&cluster);
    let report = load.during(|course| {
        course.spends("healthy", phase());
        cluster.nodes()[0].stop();
        course.spends("killed", phase());
        cluster.nodes()[0].start();
        course.spends("back", phase());
    });
    report.assert_clean();
    report.assert_writes_within(held());
    assert_recovered(&report, "killed");
    load.check(&mut cluster, 2);
}

#[test]
fn a_hung_node_is_not_waited_for() {
    let mut cluster = two_groups();
    let load = Load::on(&cluster);
    let report = load.during(|course| {
        course.spends("healthy", phase());
        cluster.nodes()[0].hang();
        course.spends("hung", phase());
        cluster.nodes()[0].go_on();
        course.spends("back", phase());
    });
    report.assert_clean();
    report.assert_writes_within(held());
    let (before, hung) =
        (report.searches("healthy", Duration::ZERO), report.searches("hung", Duration::ZERO));
    // Whatever the machine is at: a second is what nobody should wait for a node that hangs.
    assert!(hung.max < Duration::from_secs(1), "{report}");
    if judges_times() {
        assert!(hung.max < before.p99 * 2, "{report}");
    }
    load.check(&mut cluster, 2);
}

/// Replicas within one group do what a second group does.
#[test]
fn a_second_replica_hides_a_killed_node_too() {
    let mut cluster =
        cluster(PROGRAM).nodes(3).section("cluster", serde_json::json!({ "replicas": 2 })).start();
    let load = Load::on(&cluster);
    let report = load.during(|course| {
        course.spends("healthy", phase());
        cluster.nodes()[1].stop();
        course.spends("killed", phase());
        cluster.nodes()[1].start();
        course.begins("back");
        cluster.wait_until_applied();
        cluster.nodes()[2].hang();
        course.spends("another one hung", phase());
        cluster.nodes()[2].go_on();
    });
    report.assert_clean();
    report.assert_writes_within(held());
    load.check(&mut cluster, 2);
}

/// A node that dies over and over does not make reads go to and fro between it and the others with errors.
#[test]
fn a_node_that_dies_again_and_again_is_not_noticed() {
    let mut cluster = two_groups();
    let load = Load::on(&cluster);
    let report = load.during(|course| {
        course.begins("flapping");
        for _ in 0..3 {
            cluster.nodes()[3].stop();
            thread::sleep(phase() / 4);
            cluster.nodes()[3].start();
            thread::sleep(phase() / 4);
        }
    });
    report.assert_clean();
    report.assert_writes_within(held());
    load.check(&mut cluster, 2);
}

/// Every node of both groups at once: searches fail, and say so; nothing that is accepted is lost.
#[test]
fn a_fleet_that_is_killed_comes_back() {
    let mut cluster = two_groups();
    let client = cluster.client();
    let load = Load::on(&cluster);
    let report = load.during(|_| {
        for node in cluster.nodes() {
            node.stop();
        }
        thread::sleep(phase() / 2);
        assert_eq!(client.get("/indexes/items/documents").send().refused(503), "miroir_shard_unavailable");
        for node in cluster.nodes() {
            node.start();
        }
        eventually("searches are answered", || {
            (client.get("/indexes/items/documents").send().status == 200).then_some(())
        });
    });
    report.assert_right();
    report.assert_writes_within(held());
    load.check(&mut cluster, 2);
}
