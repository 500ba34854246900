//! Nodes lose their data, all or some.

use std::thread;

use miroir_tests::{Client, cluster, eventually, load::Load};
use serde_json::{Value, json};

use super::{PROGRAM, held, phase, settled};

#[test]
fn a_node_that_comes_back_empty_is_never_read_and_is_filled_anew() {
    let mut cluster = cluster(PROGRAM).nodes(2).groups(2).start();
    let (client, load) = (cluster.client(), Load::on(&cluster));
    let report = load.during(|course| {
        course.begins("emptied");
        let node = &mut cluster.nodes()[0];
        node.stop();
        thread::sleep(phase() / 2);
        node.start_empty();
        settled(&client, "done");
    });
    report.assert_clean();
    report.assert_writes_within(held());
    load.check(&mut cluster, 2);
}

#[test]
fn a_damaged_copy_is_mended_by_one_scan_while_clients_write() {
    let mut cluster = cluster(PROGRAM).nodes(2).groups(2).start();
    let load = Load::on(&cluster);
    cluster.wait_until_applied();
    let report = load.during(|_| {
        // Behind the gateway's back: one document is lost, another one is another.
        let node = cluster.nodes()[0].client();
        let page = node.get("/indexes/items/documents?limit=2&filter=kind%20%3D%20fixed").send().ok();
        let (lost, mut changed) = (&page["results"][0], page["results"][1].clone());
        changed["text"] = json!("damaged");
        let path = "/indexes/items/documents";
        node.delete(format!("{path}/{}", lost["id"].as_str().expect("an id"))).succeeds();
        node.put(path).json(&json!([changed])).succeeds();
        let found = eventually("a scan is whole", || {
            let report = load.compare(true);
            (report["state"] == "done").then_some(report)
        });
        assert_eq!(
            (&found["documentsDiffering"], &found["documentsMended"]),
            (&json!(2), &json!(2)),
            "{found}"
        );
    });
    // Until it is mended, a search may meet the damage.
    assert_eq!((report.failed, report.refused), (0, 0), "{report}");
    load.check(&mut cluster, 2);
}

#[test]
fn the_loss_of_an_only_copy_can_be_accepted() {
    let mut cluster = cluster(PROGRAM).nodes(3).start();
    let (client, _load) = (cluster.client(), Load::on(&cluster));
    let count = |client: &Client| client.search("items", &json!({ "hitsPerPage": 1 }));
    let all = count(&client).ok()["totalHits"].as_u64().expect("a number");
    cluster.wait_until_applied();
    let node = &mut cluster.nodes()[1];
    let stats = node.client().get("/indexes/items/stats").send().ok();
    let lost = stats["numberOfDocuments"].as_u64().expect("a number");
    node.stop();
    // What is written meanwhile waits, and is not lost.
    let documents: Value = (0..50).map(|id| json!({ "id": format!("later-{id}") })).collect();
    let later = client.post("/indexes/items/documents").json(&documents).accepted();
    assert_eq!(count(&client).refused(503), "miroir_shard_unavailable");
    let order = json!({ "acceptLoss": { "node": "n2" } });
    let preview = client.post("/_miroir/rebalance/plan").json(&order).send().ok();
    let status = client.post("/_miroir/rebalance").json(&order).send().ok();
    let shards = status["shardsLost"].as_array().expect("what is lost is said").len();
    assert!(shards > 0 && status["shardsLost"] == preview["shardsLost"], "{preview} {status}");
    settled(&client, "done");
    assert_eq!(client.ended(later)["status"], "succeeded");
    assert_eq!(count(&client).ok()["totalHits"], all - lost + 50);
}
