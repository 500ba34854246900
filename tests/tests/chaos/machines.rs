//! The machines that programs run on fail: disks are full or slow, clocks jump.

use std::time::Duration;

use miroir_tests::{
    Cluster, cluster,
    load::{Course, Load},
};
use serde_json::{Value, json};

use super::{PROGRAM, held, phase};

/// How much longer a sync takes on a slow disk: more than a search may.
const SLOW: Duration = Duration::from_millis(250);
const DAY: i64 = 24 * 3600;

/// Two copies, and everything on a machine of its own.
fn two_machines() -> Cluster {
    cluster(PROGRAM).nodes(1).groups(2).own_machines().start()
}

/// How many documents a node has.
fn documents_on(cluster: &mut Cluster, node: usize) -> u64 {
    let stats = cluster.nodes()[node].client().get("/indexes/items/stats").send().ok();
    stats["numberOfDocuments"].as_u64().expect("a number")
}

fn is_there(cluster: &Cluster, id: &str) -> bool {
    let query = json!({ "filter": format!("id = {id}"), "attributesToRetrieve": ["id"] });
    cluster.client().search("items", &query).ok()["hits"] == json!([{ "id": id }])
}

#[test]
fn a_full_disk_of_the_gateway_refuses_writes_and_nothing_else() {
    let mut cluster = two_machines();
    let (client, load) = (cluster.client(), Load::on(&cluster));
    let write = |id: &str| client.post("/indexes/items/documents").json(&json!([{ "id": id }]));
    let mut last = Value::Null;
    let report = load.during(|course| {
        cluster.gateway().machine().set_full(true);
        course.spends("no room", phase() / 2);
        assert_eq!(write("refused").send().refused(507), "miroir_storage_full");
        course.spends("still no room", phase() / 2);
        cluster.gateway().machine().set_full(false);
        course.begins("room again");
        last = write("taken").succeeds();
    });
    assert_eq!((report.failed, report.wrong, report.broken), (0, 0, 0), "{report}");
    assert!(report.refused > 0, "{report}");
    assert!(is_there(&cluster, "taken") && !is_there(&cluster, "refused"), "{last}");
    client.delete("/indexes/items/documents/taken").succeeds();
    load.check(&mut cluster, 2);
}

#[test]
fn a_full_disk_of_a_node_is_not_noticed() {
    let mut cluster = two_machines();
    let load = Load::on(&cluster);
    let report = load.during(|course| {
        cluster.nodes()[0].machine().set_full(true);
        course.spends("no room", phase());
        assert!(
            documents_on(&mut cluster, 0) < documents_on(&mut cluster, 1),
            "it does not feel that its disk is full"
        );
        cluster.nodes()[0].machine().set_full(false);
        course.spends("room again", phase());
    });
    report.assert_clean();
    report.assert_writes_within(held());
    load.check(&mut cluster, 2);
}

/// Searches do not wait for a disk; a write does, but for no more than what makes it durable.
#[test]
fn slow_disks_hold_up_no_search() {
    let mut cluster = two_machines();
    let load = Load::on(&cluster);
    let slow = |cluster: &mut Cluster, course: &Course, longer, name: &str| {
        cluster.nodes()[0].machine().set_sync(longer);
        cluster.gateway().machine().set_sync(longer);
        course.spends(name, phase());
    };
    let report = load.during(|course| {
        slow(&mut cluster, course, Duration::ZERO, "healthy");
        slow(&mut cluster, course, SLOW, "slow disks");
        slow(&mut cluster, course, Duration::ZERO, "as before");
    });
    report.assert_clean();
    report.assert_writes_within(held());
    let slow = report.searches("slow disks", Duration::ZERO);
    assert!(slow.p50 < SLOW, "{report}");
    load.check(&mut cluster, 2);
}

#[test]
fn clocks_that_jump_are_not_noticed() {
    let mut cluster = two_machines();
    let load = Load::on(&cluster);
    let report = load.during(|course| {
        for (name, gateway, node) in [("ahead", DAY, 0), ("behind", -DAY, DAY), ("apart", 0, -DAY)] {
            cluster.gateway().machine().set_clock(gateway);
            cluster.nodes()[0].machine().set_clock(node);
            course.spends(name, phase() / 2);
        }
    });
    report.assert_clean();
    report.assert_writes_within(held());
    load.check(&mut cluster, 2);
}
