//! Nodes that fail in every way they can.

use std::collections::BTreeSet;

use miroir_log::{Log, Operation};
use serde_json::{Value, json};

use crate::{fake::Op, rig::Rig};

fn movie(id: u32) -> Value {
    json!({ "id": id, "n": 0 })
}

fn edit() -> Operation {
    Operation::DocumentEdition { function: "doc.n += 1".to_owned(), context: None, filter: None }
}

#[tokio::test]
async fn a_node_that_is_down_delays_no_other_and_catches_up() {
    let rig = Rig::start(&[3]).await;
    let first = rig.add("movies", &(0..30).map(movie).collect::<Vec<_>>()).await;
    rig.succeeded(first).await;
    rig.node("g0n1").set_down(true);
    let mut last = 0;
    for id in 30..60 {
        last = rig.add("movies", &[movie(id)]).await;
    }
    rig.applied("g0n0", last).await;
    rig.applied("g0n2", last).await;
    assert!(rig.progress().applied("g0n1") <= last);
    assert_eq!(*rig.progress().finished().borrow(), first + 1, "no task of the index ends without it");
    rig.node("g0n1").set_down(false);
    rig.succeeded(last).await;
    let count: usize = rig.nodes.iter().map(|node| node.documents("movies").len()).sum();
    assert_eq!(count, 60);
}

#[tokio::test]
async fn of_two_groups_one_is_enough_for_tasks_to_end() {
    let rig = Rig::start(&[2, 2]).await;
    let first = rig.add("movies", &[movie(1)]).await;
    rig.applied_everywhere(first).await;
    for group in ["g0n0", "g1n1"] {
        rig.node(group).set_down(true);
        let other = if group == "g0n0" { "g1n0" } else { "g0n0" };
        let last = rig.add("movies", &(0..20).map(movie).collect::<Vec<_>>()).await;
        rig.succeeded(last).await;
        assert!(!rig.progress().is_fresh(group, "movies") && rig.progress().is_fresh(other, "movies"));
        rig.node(group).set_down(false);
        rig.applied_everywhere(last).await;
        assert!(rig.progress().is_fresh(group, "movies"));
    }
}

#[tokio::test]
async fn a_node_that_answers_but_takes_no_writes_delays_no_other_group() {
    let rig = Rig::start(&[1, 1]).await;
    let first = rig.add("movies", &[movie(1)]).await;
    rig.applied_everywhere(first).await;
    rig.node("g1n0").refuse_key(true);
    let last = rig.add("movies", &[movie(2)]).await;
    rig.succeeded(last).await;
    rig.node("g1n0").refuse_key(false);
    rig.applied_everywhere(last).await;
    assert!(!rig.progress().is_stuck("g1n0"));
}

#[tokio::test]
async fn a_connection_dropped_after_the_request_was_taken_is_resolved_by_its_tag() {
    let rig = Rig::start(&[1]).await;
    let node = rig.node("g0n0");
    rig.add("movies", &(0..10).map(movie).collect::<Vec<_>>()).await;
    let first = rig.append("movies", edit()).await;
    rig.succeeded(first).await;
    let mut last = 0;
    for id in 10..30 {
        node.drop_after(u32::from(id % 4 == 0));
        last = if id % 4 == 0 {
            rig.append("movies", edit()).await
        } else {
            rig.add("movies", &[movie(id)]).await
        };
        rig.succeeded(last).await;
    }
    node.drop_after(1);
    let edited = rig.append("movies", edit()).await;
    assert_eq!(rig.succeeded(edited).await.details.expect("details")["editedDocuments"], 10 + 15);
    assert!(edited > last);
    for id in (10..30).filter(|id| id % 4 != 0) {
        assert_eq!(node.times_put(&id.to_string()), 1, "{id}");
    }
    let edits = node.done().iter().filter(|(_, op)| matches!(op, Op::Edit(..))).count();
    assert_eq!(edits, 1 + 5 + 1);
    assert_eq!(node.documents("movies")["0"]["n"], 7);
}

#[tokio::test]
async fn what_is_written_after_an_older_log_was_put_back_is_not_taken_for_what_was_lost_with_the_newer_one() {
    let mut rig = Rig::start(&[2]).await;
    let first = rig.add("movies", &(0..4).map(movie).collect::<Vec<_>>()).await;
    rig.applied_everywhere(first).await;
    rig.stop().await;
    let older = rig.copy_log();
    rig.resume().await;
    for id in 10..20 {
        let uid = rig.add("movies", &[movie(id)]).await;
        rig.succeeded(uid).await;
    }
    rig.stop().await;
    rig.put_back(older);
    rig.resume().await;
    for id in 20..30 {
        let uid = rig.add("movies", &[movie(id)]).await;
        assert_eq!(uid, first + 1 + id - 20, "the places are given again");
        rig.succeeded(uid).await;
    }
    let documents: BTreeSet<String> =
        rig.nodes.iter().flat_map(|node| node.documents("movies").into_keys()).collect();
    for id in 20..30 {
        assert!(documents.contains(&id.to_string()), "{id} is not there: {documents:?}");
    }
    // In the middle of them, they are recognised.
    rig.restart().await;
    let last = rig.add("movies", &[movie(30)]).await;
    rig.succeeded(last).await;
    for id in 20..=30 {
        let times: usize = rig.nodes.iter().map(|node| node.times_put(&id.to_string())).sum();
        assert_eq!(times, 1, "{id}");
    }
}

#[tokio::test]
async fn a_connection_dropped_before_the_request_was_taken_is_tried_again() {
    let rig = Rig::start(&[2]).await;
    rig.nodes.iter().for_each(|node| node.drop_before(3));
    let uid = rig.add("movies", &(0..10).map(movie).collect::<Vec<_>>()).await;
    rig.succeeded(uid).await;
    for id in 0..10 {
        let times: usize = rig.nodes.iter().map(|node| node.times_put(&id.to_string())).sum();
        assert_eq!(times, 1);
    }
}

#[tokio::test]
async fn only_the_bad_entry_of_a_group_fails() {
    let rig = Rig::start(&[1]).await;
    let node = rig.node("g0n0");
    let first = rig.add("movies", &[movie(0)]).await;
    rig.succeeded(first).await;
    // The entries gather into groups while nothing gets through.
    node.set_down(true);
    for id in 1..=60 {
        let bad = json!({ "id": id, "bad": true });
        rig.add("movies", &[if id == 23 || id == 40 { bad } else { movie(id) }]).await;
    }
    node.set_down(false);
    for uid in 1..=60 {
        if uid == 23 || uid == 40 {
            let task = rig.failed(uid, "invalid_document_geo_field").await;
            assert_eq!(task.details.expect("details")["indexedDocuments"], 0);
        } else {
            rig.succeeded(uid).await;
        }
    }
    assert_eq!(node.documents("movies").len(), 59);
}

#[tokio::test]
async fn a_bad_document_fails_its_own_task_whatever_the_node_does_together_with_it() {
    let rig = Rig::start(&[1]).await;
    let node = rig.node("g0n0");
    node.set_batch(64);
    for index in ["movies", "books"] {
        let uid = rig.add(index, &[movie(0)]).await;
        rig.succeeded(uid).await;
    }
    node.hold(true);
    let mut tasks = Vec::new();
    for id in 1..=30 {
        // Two indexes in turn, so that each entry is a request of its own.
        let index = if id % 2 == 0 { "movies" } else { "books" };
        let document = if id == 16 { json!({ "id": id, "bad": true }) } else { movie(id) };
        tasks.push((id, rig.add(index, &[document]).await));
        if id % 10 == 0 {
            rig.until("requests arrive", || node.waiting() > 0).await;
        }
    }
    node.hold(false);
    for (id, uid) in tasks {
        if id == 16 {
            rig.failed(uid, "invalid_document_geo_field").await;
        } else {
            rig.succeeded(uid).await;
        }
    }
    assert_eq!(node.documents("movies").len() + node.documents("books").len(), 2 + 29);
}

#[tokio::test]
async fn a_failure_that_one_node_found_is_told_after_a_restart_too() {
    let mut rig = Rig::start(&[2]).await;
    let (bad, good) = (rig.ids_of("g0n0", 1)[0], rig.ids_of("g0n1", 1)[0]);
    let first = rig.add("movies", &[movie(bad), movie(good)]).await;
    rig.succeeded(first).await;
    rig.node("g0n1").hold(true);
    let uid = rig.add("movies", &[json!({ "id": bad, "bad": true }), json!({ "id": good, "n": 5 })]).await;
    rig.applied("g0n0", uid).await;
    rig.restart().await;
    rig.node("g0n1").hold(false);
    rig.failed(uid, "invalid_document_geo_field").await;
    assert!(rig.node("g0n0").times_put(&bad.to_string()) <= 3, "not asked again after the restart");
}

#[tokio::test]
async fn a_full_disk_is_waited_for() {
    let rig = Rig::start(&[1]).await;
    let first = rig.add("movies", &[movie(0)]).await;
    rig.succeeded(first).await;
    rig.node("g0n0").fill_disk(3);
    let mut last = first;
    for id in 1..10 {
        last = rig.add("movies", &[movie(id)]).await;
    }
    for uid in first..=last {
        rig.succeeded(uid).await;
    }
    assert_eq!(rig.node("g0n0").documents("movies").len(), 10);
}

#[tokio::test]
async fn a_node_that_lost_its_queue_gets_the_writes_again() {
    let rig = Rig::start(&[2]).await;
    let first = rig.add("movies", &[movie(0)]).await;
    rig.succeeded(first).await;
    let node = rig.node("g0n0");
    node.hold(true);
    let ids = rig.ids_of("g0n0", 9);
    let mut last = 0;
    for id in &ids[1..] {
        last = rig.add("movies", &[movie(*id)]).await;
    }
    rig.until("requests arrive", || node.waiting() > 0).await;
    node.lose_queue();
    node.hold(false);
    rig.succeeded(last).await;
    assert!(ids[1..].iter().all(|id| node.documents("movies").contains_key(&id.to_string())));
}

#[tokio::test]
async fn a_restart_in_the_middle_applies_nothing_twice() {
    let mut rig = Rig::start(&[2]).await;
    rig.add("movies", &(0..20).map(movie).collect::<Vec<_>>()).await;
    rig.nodes.iter().for_each(|node| node.hold(true));
    let mut last = 0;
    for id in 20..40 {
        rig.add("movies", &[movie(id)]).await;
        if id % 7 == 0 {
            rig.append("movies", edit()).await;
        }
        last = rig.delete("movies", &[id - 20]).await;
        if id % 5 == 0 {
            rig.restart().await;
        }
        if id % 10 == 9 {
            rig.nodes.iter().for_each(|node| node.hold(id < 30));
        }
    }
    rig.nodes.iter().for_each(|node| node.hold(false));
    rig.succeeded(last).await;
    for node in &rig.nodes {
        for id in (0..40).map(|id: u32| id.to_string()) {
            assert_eq!(node.times_put(&id), usize::from(rig.owns(node, &id)), "{id} on {}", node.name);
        }
        assert_eq!(node.done().iter().filter(|(_, op)| matches!(op, Op::Edit(..))).count(), 3);
    }
    let count: usize = rig.nodes.iter().map(|node| node.documents("movies").len()).sum();
    assert_eq!(count, 20);
}

#[tokio::test]
async fn nodes_without_metadata_are_served_too() {
    let rig = Rig::start(&[1]).await;
    rig.node("g0n0").know_no_tags();
    rig.add("movies", &[movie(1)]).await;
    let uid = rig.delete("movies", &[1]).await;
    rig.succeeded(uid).await;
    assert!(rig.node("g0n0").documents("movies").is_empty());
    assert!(rig.node("g0n0").done().iter().all(|(metadata, _)| metadata.is_none()));
}

#[tokio::test]
async fn nothing_of_a_finished_task_is_asked_for_again_after_a_restart() {
    let mut rig = Rig::start(&[2]).await;
    let uid = rig.add("movies", &(0..10).map(movie).collect::<Vec<_>>()).await;
    rig.succeeded(uid).await;
    rig.applied_everywhere(uid).await;
    let before: Vec<_> = rig.nodes.iter().map(|node| node.done().len()).collect();
    rig.restart().await;
    assert!(rig.nodes.iter().all(|node| rig.progress().is_fresh(&node.name, "movies")), "at once");
    assert_eq!(rig.progress().backlog(), 0);
    let next = rig.add("books", &[movie(1)]).await;
    rig.succeeded(next).await;
    let after: Vec<_> = rig.nodes.iter().map(|node| node.done().len()).collect();
    assert!(after.iter().zip(&before).all(|(after, before)| after - before <= 4), "{before:?} {after:?}");
    assert_eq!(rig.log().positions().next, next + 1);
}
