//! Several nodes at once.

use std::{sync::Arc, time::Duration};

use crate::server::{LONG, Reply, deadline, nobody, node, path, server};
use miroir_nodes::{
    Call, Fleet, HealthState, Node, NodeError, NodeRequest, Prober, check_versions, fan_out,
    one_falls_silent, probe,
};

fn calls(nodes: &[Node]) -> Vec<Call> {
    let request = NodeRequest::query(path("/indexes/movies/search"), r#"{"q":"x"}"#);
    nodes.iter().map(|node| Call { node: node.clone(), request: request.clone() }).collect()
}

#[tokio::test]
async fn outcomes_come_in_the_order_of_the_calls_failures_among_them() {
    let (one, three) = (server(|_, _| Reply::Body("one")).await, server(|_, _| Reply::Body("three")).await);
    let hung = server(|_, _| Reply::Hang).await;
    let nodes = [
        node("one", &one.address),
        node("two", &nobody().await),
        node("three", &three.address),
        node("four", &hung.address),
    ];
    let outcomes = deadline(fan_out(&calls(&nodes), Duration::from_millis(200))).await;
    let names: Vec<_> = outcomes.iter().map(|outcome| outcome.node.name().to_owned()).collect();
    assert_eq!(names, ["one", "two", "three", "four"]);
    assert_eq!(outcomes[0].result.as_ref().expect("an answer").body, "one");
    assert!(matches!(outcomes[1].result, Err(NodeError::Connect(_))));
    assert_eq!(outcomes[2].result.as_ref().expect("an answer").body, "three");
    assert!(matches!(outcomes[3].result, Err(NodeError::Timeout(_))));
}

#[tokio::test]
async fn one_call_and_none_are_no_special_case() {
    let only = server(|_, _| Reply::Body("only")).await;
    let outcomes = fan_out(&calls(&[only.node()]), LONG).await;
    assert_eq!(outcomes[0].result.as_ref().expect("an answer").body, "only");
    assert!(fan_out(&[], LONG).await.is_empty());
}

#[tokio::test]
async fn a_dropped_fan_out_ends_every_request() {
    let (one, two) = (server(|_, _| Reply::Hang).await, server(|_, _| Reply::Hang).await);
    let calls = calls(&[one.node(), two.node()]);
    let asked = tokio::spawn(async move { fan_out(&calls, LONG).await });
    one.wait_seen(1).await;
    two.wait_seen(1).await;
    asked.abort();
    one.wait_closed(1).await;
    two.wait_closed(1).await;
}

#[tokio::test]
async fn the_prober_finds_who_is_down_and_who_is_back() {
    let back = server(|_, _| Reply::Body(r#"{"results":[{"uid":4}]}"#)).await;
    let fleet: Fleet = [node("back", &back.address), node("down", &nobody().await)].into_iter().collect();
    let fleet = Arc::new(fleet);
    let health = |name: &str| fleet.get(name).expect("a node").health().is_up();
    fleet.iter().for_each(|node| {
        node.health().failed();
        node.health().failed();
        node.health().disconnected();
    });
    let probed = fleet.clone();
    let prober = Prober::new(move || probed.clone(), Duration::from_millis(5), LONG);
    let probing = tokio::spawn(prober.run());
    back.wait_seen(3).await;
    assert!(health("back"));
    assert!(!health("down"));
    assert!(back.seen()[0].text.starts_with("GET /tasks?limit=1&statuses="));
    let trusted = |name: &str| fleet.get(name).expect("a node").health().is_trusted();
    assert!(trusted("back") && !trusted("down"));
    probing.abort();
}

#[tokio::test]
async fn another_node_that_got_a_nodes_address_is_found_out() {
    // From the second connection on somebody else answers, who has had more tasks.
    let exchanged = server(|_, seen| match (seen.connection, seen.text.starts_with("GET /tasks/9 ")) {
        (0, _) => Reply::BodyThenClose(r#"{"results":[{"uid":9,"enqueuedAt":"a"}]}"#),
        (_, true) => Reply::Body(r#"{"uid":9,"enqueuedAt":"b"}"#),
        (_, false) => Reply::Body(r#"{"results":[{"uid":12,"enqueuedAt":"c"}]}"#),
    })
    .await;
    let node = exchanged.node();
    assert!(deadline(probe(&node, LONG)).await);
    assert_eq!(node.health().witness().map(|witness| witness.task), Some(9));
    exchanged.wait_closed(1).await;
    assert!(!deadline(probe(&node, LONG)).await);
    assert_eq!(node.health().state(), HealthState::Lost);
    // What is kept of it tells it after a restart, too.
    let other = server(|_, _| Reply::Body(r#"{"uid":9,"enqueuedAt":"b"}"#)).await;
    let again = other.node();
    again.health().has_ended(9);
    again.health().is_known_by(node.health().witness().expect("known"));
    let read = NodeRequest::query(path("/indexes/movies/search"), "{}");
    assert!(matches!(again.ask(&read, LONG).await, Err(NodeError::Forgetful)));
}

#[tokio::test]
async fn a_node_that_comes_back_with_older_data_is_found_out() {
    let older = server(|count, _| {
        Reply::Body(if count == 0 { r#"{"results":[{"uid":9}]}"# } else { r#"{"results":[{"uid":5}]}"# })
    })
    .await;
    let node = older.node();
    assert!(probe(&node, LONG).await);
    assert!(!probe(&node, LONG).await);
    assert_eq!(node.health().state(), HealthState::Lost);
}

#[tokio::test]
async fn a_node_that_hangs_holds_a_start_up_for_a_moment_only() {
    let good = server(|_, _| Reply::Body(r#"{"pkgVersion":"1.50.0"}"#)).await;
    let old = server(|_, _| Reply::Body(r#"{"pkgVersion":"1.2.0"}"#)).await;
    let hung = server(|_, _| Reply::Hang).await;
    let fleet = |others: [&str; 2]| -> Fleet {
        [node("good", &good.address), node("a", others[0]), node("b", others[1])].into_iter().collect()
    };
    let start = std::time::Instant::now();
    assert!(check_versions(&fleet([&hung.address, &hung.address])).await.is_ok());
    assert!(start.elapsed() < Duration::from_millis(1_500), "{:?}", start.elapsed());
    assert!(check_versions(&fleet([&hung.address, &old.address])).await.is_err());
}

#[tokio::test]
async fn what_is_asked_of_several_is_given_up_once_one_of_them_answers_no_more() {
    let (one, hung) = (server(|_, _| Reply::Body("one")).await, server(|_, _| Reply::Hang).await);
    let nodes = [one.node(), hung.node()];
    let silent = || one_falls_silent(&nodes);
    assert!(tokio::time::timeout(Duration::from_millis(120), silent()).await.is_err(), "both answer");
    (0..2).for_each(|_| _ = nodes[1].health().failed());
    deadline(silent()).await;
}
