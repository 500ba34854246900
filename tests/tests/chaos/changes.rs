//! Every kind of change of the fleet, and changes that are taken back.

use std::{collections::BTreeMap, time::Instant};

use miroir_tests::{
    Client, Cluster, cluster, eventually,
    load::{Course, Load},
};
use serde_json::{Value, json};

use super::{PROGRAM, change, ended, held, phase, settled};

/// Data may move so much more often than they have to, in hundredths.
const MOVED_AT_MOST: u64 = 110;

/// Makes a change, and waits until it is done. No more is copied than it takes to get from the shares that nodes had to those
/// that they have then.
fn make((load, course): (&Load, &Course), cluster: &mut Cluster, name: &str, wanted: &Value) {
    let (client, before) = (cluster.client(), load.held(cluster));
    course.begins(name);
    let start = Instant::now();
    change(&client, wanted);
    let status = settled(&client, "done");
    let took = start.elapsed().as_secs_f64();
    assert_eq!(status["shards"], status["shardsMoved"], "{status}");
    let after = load.held(cluster);
    let least = load.least_moved(&before, &after);
    let copied = status["documentsCopied"].as_u64().expect("a number");
    println!("{name:>20}: {copied} documents copied, {least} at the least, in {took:.1} s");
    assert!(copied * 100 <= least * MOVED_AT_MOST, "{status}: {before:?} {after:?}, {least} at the least");
}

/// Shards by node.
fn shares(client: &Client) -> BTreeMap<String, u64> {
    let fleet = client.get("/_miroir/nodes").send().ok();
    let nodes = fleet["nodes"].as_array().expect("nodes").iter();
    nodes
        .map(|node| {
            (node["name"].as_str().unwrap_or_default().to_owned(), node["shards"].as_u64().unwrap_or(0))
        })
        .collect()
}

#[test]
fn nodes_come_and_go() {
    let mut cluster = cluster(PROGRAM).nodes(3).start();
    let load = Load::on(&cluster);
    let (n4, n5) = (cluster.spare_node("n4"), cluster.spare_node("n5"));
    let report = load.during(|course| {
        course.spends("healthy", phase());
        make((&load, course), &mut cluster, "add", &json!({ "add": { "nodes": [n4] } }));
        make((&load, course), &mut cluster, "drain", &json!({ "drain": { "node": "n2" } }));
        make((&load, course), &mut cluster, "remove", &json!({ "remove": { "node": "n2" } }));
        make((&load, course), &mut cluster, "replace", &json!({ "replace": { "node": "n1", "with": n5 } }));
    });
    report.assert_clean();
    report.assert_writes_within(held());
    report.assert_tasks_within(ended());
    load.check(&mut cluster, 1);
}

#[test]
fn copies_and_shards_become_more_and_fewer() {
    let mut cluster = cluster(PROGRAM).nodes(3).start();
    let load = Load::on(&cluster);
    let report = load.during(|course| {
        make((&load, course), &mut cluster, "two replicas", &json!({ "replicas": { "replicas": 2 } }));
        make((&load, course), &mut cluster, "weight", &json!({ "weight": { "node": "n1", "weight": 3 } }));
        make((&load, course), &mut cluster, "one replica", &json!({ "replicas": { "replicas": 1 } }));
        // Last, as filters name single slots while halves are on different nodes: too slow for an engine that is not
        // built for speed.
        make((&load, course), &mut cluster, "split", &json!({ "split": {} }));
    });
    report.assert_clean();
    report.assert_writes_within(held());
    report.assert_tasks_within(ended());
    load.check(&mut cluster, 1);
}

#[test]
fn groups_come_and_go() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let load = Load::on(&cluster);
    let mut others = [cluster.spare_node("n3"), cluster.spare_node("n4")];
    others.iter_mut().for_each(|node| node["group"] = json!("g2"));
    let report = load.during(|course| {
        make((&load, course), &mut cluster, "a second group", &json!({ "add": { "nodes": others } }));
    });
    report.assert_clean();
    report.assert_writes_within(held());
    report.assert_tasks_within(ended());
    load.check(&mut cluster, 2);
    let report = load.during(|course| {
        make((&load, course), &mut cluster, "without the first", &json!({ "dropGroup": { "group": "g1" } }));
    });
    report.assert_clean();
    report.assert_writes_within(held());
    report.assert_tasks_within(ended());
    load.check(&mut cluster, 1);
}

#[test]
fn a_change_is_taken_back_wherever_it_is() {
    let mut cluster = cluster(PROGRAM).nodes(3).start();
    let (client, load) = (cluster.client(), Load::on(&cluster));
    let before = shares(&client);
    let n4 = cluster.spare_node("n4");
    // Before anything has moved, or after.
    let changes = [
        (0, json!({ "drain": { "node": "n2" } })),
        (1, json!({ "replicas": { "replicas": 2 } })),
        (1, json!({ "replace": { "node": "n1", "with": n4 } })),
    ];
    let report = load.during(|course| {
        for (moved, wanted) in &changes {
            course.begins("taken back");
            change(&client, wanted);
            eventually("shards move", || {
                let status = client.get("/_miroir/rebalance").send().ok();
                (status["shardsMoved"].as_u64() >= Some(*moved)).then_some(())
            });
            client.post("/_miroir/rebalance/abort").send().ok();
            settled(&client, "aborted");
            assert_eq!(shares(&client), before);
        }
    });
    report.assert_clean();
    report.assert_writes_within(held());
    report.assert_tasks_within(ended());
    load.check(&mut cluster, 1);
}

/// What is changed in the configuration is changed in the fleet at the next start; what commands changed stays.
#[test]
fn the_configuration_changes_shares_and_copies() {
    let mut cluster = cluster(PROGRAM).nodes(3).start();
    let (client, load) = (cluster.client(), Load::on(&cluster));
    change(&client, &json!({ "weight": { "node": "n3", "weight": 2 } }));
    settled(&client, "done");
    let changed = shares(&client);
    restart(&mut cluster, |_| {});
    assert_eq!(shares(&client), changed);
    restart(&mut cluster, |config| {
        config["nodes"][0]["weight"] = json!(4);
        config["replicas"] = json!(2);
    });
    let status = settled(&client, "done");
    assert_eq!(status["change"], "give n1 the weight 4; keep 2 replicas");
    assert_eq!(shares(&client).values().sum::<u64>(), 2 * 256);
    load.check(&mut cluster, 2);
}

/// Nodes that the configuration names join as soon as they answer, however late that is. One that was taken out stays out,
/// though the configuration still names it.
#[test]
fn nodes_of_the_configuration_join_once_they_are_there_and_not_again_once_removed() {
    let mut cluster = cluster(PROGRAM).nodes(2).start();
    let (client, load) = (cluster.client(), Load::on(&cluster));
    let n3 = cluster.spare_node("n3");
    cluster.nodes()[2].stop();
    restart(&mut cluster, |config| {
        config["nodes"].as_array_mut().expect("a list").push(n3);
    });
    assert_eq!(client.get("/_miroir/rebalance").send().ok()["state"], "none");
    assert_eq!(shares(&client).len(), 2);
    cluster.nodes()[2].start();
    settled(&client, "done");
    assert!(shares(&client)["n3"] > 0);

    change(&client, &json!({ "remove": { "node": "n3" } }));
    settled(&client, "done");
    restart(&mut cluster, |_| {});
    assert_eq!(shares(&client).len(), 2);
    load.check(&mut cluster, 1);
}

/// Starts the gateway again with another section on its cluster.
fn restart(cluster: &mut Cluster, edit: impl FnOnce(&mut Value)) {
    let path = cluster.config_file();
    let text = std::fs::read_to_string(&path).expect("the file is read");
    let mut config: Value = serde_json::from_str(&text).expect("the harness writes JSON");
    edit(&mut config["cluster"]);
    std::fs::write(&path, config.to_string()).expect("the file is written");
    cluster.gateway().kill();
    cluster.gateway().start();
}
