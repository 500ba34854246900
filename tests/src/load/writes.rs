//! Writes at a steady pace, each sent again until it is accepted.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::time::sleep;

use super::{INDEX, Load, ledger::Write, paced, report::Recorder};

/// Documents of one request that adds some, and of one that changes some. All documents that change have their turns
/// in whole requests, so that those of one request are at the same version.
const ADDED: u32 = 8;
const CHANGED: u32 = 4;
/// How often it is looked which tasks have ended, and at how many.
const LOOK: Duration = Duration::from_millis(20);
const TASKS: usize = 200;
/// Until a request that broke off is sent again.
const AGAIN: Duration = Duration::from_millis(20);

/// Adds documents, three quarters of all that are written. Requests overtake each other.
pub(super) async fn add(load: &Load, recorder: &Recorder, stop: &AtomicBool) {
    let mut due = paced((load.pace.documents * 3 / 4).div_ceil(ADDED));
    let mut sending = tokio::task::JoinSet::new();
    while !stop.load(SeqCst) {
        due.tick().await;
        let (load, recorder) = (load.clone(), recorder.clone());
        let write = load.ledger.add(ADDED.into());
        sending.spawn(async move { accepted(&load, &recorder, write).await });
    }
    sending.join_all().await;
}

/// Changes documents, one request after another: so versions are accepted in their order.
pub(super) async fn change(load: &Load, recorder: &Recorder, stop: &AtomicBool) {
    let mut due = paced((load.pace.documents / 4).div_ceil(CHANGED));
    for turn in 0.. {
        due.tick().await;
        if stop.load(SeqCst) {
            return;
        }
        let write = load.ledger.change(turn, CHANGED as usize);
        accepted(load, recorder, write).await;
    }
}

/// Sends a write until it is accepted.
async fn accepted(load: &Load, recorder: &Recorder, write: Write) {
    let start = Instant::now();
    loop {
        let path = format!("/indexes/{INDEX}/documents");
        let request = match write.deleted() {
            Some(ids) => load.client.post(path + "/delete-batch").json(&json!(ids)),
            None => load.client.post(path).json(&write.documents().into()),
        };
        match load.send(request).await {
            Ok(answer) if answer.status == 202 => {
                recorder.wrote(start, None);
                load.ledger.accepted(answer.task(), write);
                return;
            }
            Ok(answer) => recorder.wrote(start, Some(format!("{}: {}", answer.status, answer.text))),
            Err(error) => recorder.broken(error.0),
        }
        sleep(AGAIN).await;
    }
}

/// Looks which tasks have ended, until all have and there will be no more.
pub(super) async fn follow(load: &Load, recorder: &Recorder, all_sent: &AtomicBool) {
    loop {
        let last = all_sent.load(SeqCst);
        let open = load.ledger.open(TASKS);
        if open.is_empty() && last {
            return;
        }
        let uids = open.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let path = format!("/tasks?limit={TASKS}&statuses=succeeded,failed,canceled&uids={uids}");
        if let Some(tasks) = ended(load, path).await.filter(|_| !open.is_empty()) {
            for task in tasks {
                if task["status"] != "succeeded" {
                    recorder.wrong(format!("task did not succeed: {task}"));
                }
                if let Some(accepted) = load.ledger.succeeded(task["uid"].as_u64().unwrap_or(u64::MAX)) {
                    recorder.succeeded(accepted);
                }
            }
        }
        sleep(LOOK).await;
    }
}

async fn ended(load: &Load, path: String) -> Option<Vec<serde_json::Value>> {
    let page = load.send(load.client.get(path)).await.ok()?;
    page.body["results"].as_array().cloned()
}
