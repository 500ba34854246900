use std::collections::BTreeMap;

use miroir_log::{Log, Operation, SqliteLog, SqliteOptions};
use miroir_protocol::tasks::Swap;
use miroir_shard::Slot;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::{
    applier::{
        Shared,
        dispatch::{Dispatch, NodeTask},
    },
    failures::Failures,
    payloads::Payloads,
    progress::Progress,
    release::Release,
    tag::Tag,
    testing::{plain, topology, work},
    topology::CurrentTopology,
};

/// An applier of a log without entries, for a node that nobody reaches.
fn applier(directory: &TempDir) -> Applier {
    let log: Arc<dyn Log> = Arc::new(SqliteLog::open(SqliteOptions::new(directory.path())).expect("a log"));
    let progress = Progress::new(BTreeMap::from([("g0n0".to_owned(), 0)]), 0, 0);
    let payloads = Arc::new(Payloads::new(log.clone()));
    let topology = CurrentTopology::new(topology(&[2], 1));
    let node = topology.load().fleet.get("g0n0").expect("a node").clone();
    let shared = Shared {
        log: log.clone(),
        progress: progress.clone(),
        release: Arc::new(Release::new(log.clone(), progress.clone(), 0)),
        failures: Arc::new(Failures::new(log, progress, payloads.clone())),
        payloads,
        topology,
    };
    Applier::new(shared, node, mpsc::channel(1).1)
}

fn slots() -> Arc<SlotSet> {
    Arc::new((0..8).filter_map(Slot::new).collect())
}

fn join() -> Errand {
    Errand::Replay { starts: Arc::new(Starts::new(slots(), 0)), from: 0, join: true }
}

fn tag(first: u32, last: u32) -> Tag {
    Tag { first, last, step: 0, mark: None }
}

/// What is sent, or found to have been sent: the entries of a dispatch.
fn dispatch(first: u32, last: u32) -> Dispatch {
    Dispatch::new(first, last, vec![NodeTask::accepted(first, StepDone::Succeeded)], false)
}

#[tokio::test]
async fn shards_join_only_behind_what_an_earlier_try_has_sent() {
    let directory = TempDir::new().expect("a directory");
    let mut applier = applier(&directory);
    assert!(applier.is_time_for(&join()), "nothing was sent");
    // Entries 0 to 1 and 4 to 6 are in the node's queue, without what joins now.
    applier.sender.begin(BTreeMap::from([(tag(0, 1), 3), (tag(4, 6), 5)]));
    assert!(!applier.is_time_for(&join()));
    applier.window.push(dispatch(0, 1));
    assert!(!applier.is_time_for(&join()), "some of it is yet to come");
    applier.window.push(dispatch(2, 3));
    assert!(!applier.is_time_for(&join()));
    applier.window.push(dispatch(4, 6));
    assert!(applier.is_time_for(&join()));
}

#[tokio::test]
async fn copies_wait_for_what_is_in_them_and_for_what_nothing_may_go_out_behind() {
    let directory = TempDir::new().expect("a directory");
    let mut applier = applier(&directory);
    let put = |last| Errand::Put {
        index: "movies".to_owned(),
        documents: Bytes::new(),
        span: Span { first: 0, last },
    };
    assert!(applier.is_time_for(&put(0)) && !applier.is_time_for(&put(2)));
    applier.window.push(dispatch(0, 1));
    assert!(applier.is_time_for(&put(2)) && !applier.is_time_for(&put(3)));
    applier.window.push(Dispatch { barrier: true, ..dispatch(2, 2) });
    assert!(!applier.is_time_for(&put(3)), "it may have to go out again");
    assert!(!applier.is_time_for(&Errand::Part { slots: slots() }));
}

#[tokio::test]
async fn all_indexes_that_have_become_others_are_told_at_once() {
    let directory = TempDir::new().expect("a directory");
    let mut applier = applier(&directory);
    let renamed = Operation::IndexUpdate { new_uid: Some("films".to_owned()), primary_key: None };
    applier.exchanges.note(&work(4, renamed, plain()));
    let swaps = vec![Swap { indexes: ("books".to_owned(), "drafts".to_owned()), rename: false }];
    applier.exchanges.note(&work(6, Operation::IndexSwap { swaps }, plain()));
    let mut starts = Starts::new(slots(), 0);
    // The copy of one was read behind it.
    starts.copied("drafts", slots(), Span { first: 7, last: 9 });
    let errand = Errand::Replay { starts: Arc::new(starts), from: 0, join: false };
    let Err(Failure::Errand(error)) = applier.run_errand(errand).await else { panic!("done") };
    let others = ["books", "films", "movies"].map(str::to_owned);
    assert_eq!(error, ErrandError::Superseded(others.into()));
}
