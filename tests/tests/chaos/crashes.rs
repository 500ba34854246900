//! The gateway is killed, and its disk is full.

use std::thread;

use miroir_tests::{cluster, load::Load};
use serde_json::json;

use super::{PROGRAM, change, phase, settled};

#[test]
fn a_killed_gateway_loses_nothing() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let load = Load::on(&cluster);
    let report = load.during(|course| {
        course.begins("killed over and over");
        for _ in 0..3 {
            thread::sleep(phase() / 3);
            cluster.gateway().kill();
            cluster.gateway().start();
        }
    });
    report.assert_right();
    load.check(&mut cluster, 1);
}

#[test]
fn a_change_goes_on_after_kills_of_the_gateway() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let (client, load) = (cluster.client(), Load::on(&cluster));
    let n3 = cluster.spare_node("n3");
    let report = load.during(|course| {
        course.begins("killed while shards move");
        change(&client, &json!({ "add": { "nodes": [n3] } }));
        for _ in 0..3 {
            thread::sleep(phase() / 4);
            cluster.gateway().kill();
            cluster.gateway().start();
        }
        settled(&client, "done");
    });
    report.assert_right();
    load.check(&mut cluster, 1);
    let nodes = client.get("/_miroir/nodes").send().ok();
    assert_eq!(nodes["nodes"].as_array().expect("nodes").len(), 3, "{nodes}");
}
