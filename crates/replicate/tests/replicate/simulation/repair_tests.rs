//! What repair does when something comes in between, on the simulation's clock.

use std::time::Duration;

use miroir_replicate::Change;
use tokio::time::sleep;

use super::{
    chance::Chance,
    history::INDEXES,
    run::{FLEETS, directory},
    world::{Setting, World},
};

/// Two groups whose fleet changes, and nothing goes wrong.
const CALM: Setting = Setting { faults: false, ..FLEETS[0] };

#[tokio::test(start_paused = true)]
async fn a_scan_that_a_change_breaks_off_is_begun_anew() {
    let directory = directory();
    let mut world = World::start(Chance::new(1, false), CALM, directory.path(), None).await;
    for _ in 0..30 {
        world.write().await;
    }
    world.rest().await.expect("it comes to rest");
    let node = world.nodes.iter().find(|node| node.name == "g1n0").expect("a node").clone();
    let documents = node.index(INDEXES[1]).expect("an index").documents;
    let (id, _) = documents.last_key_value().expect("a document");
    node.lose_documents(INDEXES[1], &[id]);

    world.gateway().rebalancer.verify(true);
    while world.gateway().rebalancer.verified()["state"] != "running" {
        sleep(Duration::from_millis(1)).await;
    }
    let nodes = vec![world.new_node()];
    world.begin(Change::Add { nodes }).await;
    assert!(world.change.is_some());
    while world.gateway().rebalancer.verified()["state"] == "running" {
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(world.gateway().rebalancer.verified()["state"], "broken off");
    sleep(Duration::from_secs(300)).await;
    let report = world.gateway().rebalancer.verified();
    assert_eq!((&report["state"], &report["documentsMended"]), (&"done".into(), &1.into()), "{report}");
    world.check_at_rest().await.expect("it is mended");
}
