//! Does what tasks ask of the gateway itself: dumps, snapshots, exports, dynamic search rules.

use miroir_log::{Operation, Outcome};
use miroir_protocol::error::ResponseError;
use miroir_replicate::{Chore, ChoreEnd};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{backup, export, rules};
use crate::state::Gateway;

/// Does one after another, for as long as the program runs.
pub(crate) async fn run(gateway: Gateway, mut chores: mpsc::Receiver<Chore>) {
    while let Some(chore) = chores.recv().await {
        let uid = chore.entry.uid;
        let done = match &chore.entry.operation {
            Operation::DumpCreation { dump_uid } => {
                let details = Some(json!({ "dumpUid": dump_uid }));
                backup::dump(&gateway, dump_uid, uid).await.map(|_| details)
            }
            Operation::SnapshotCreation => backup::snapshot(&gateway, uid).await.map(|_| None),
            Operation::RuleUpdate { rule, change } => {
                rules::change(&gateway, rule, change.clone(), chore.entry.enqueued_at).await.map(|()| None)
            }
            Operation::RuleClear => rules::delete_all(&gateway).await.map(|_| None),
            Operation::Export(wanted) => export::export(&gateway, wanted).await.map(Some),
            _ => Ok(None),
        };
        chore.end(end(uid, done));
    }
}

fn end(uid: u32, done: Result<Option<Value>, ResponseError>) -> ChoreEnd {
    match done {
        Ok(details) => ChoreEnd { outcome: Outcome::Succeeded, details },
        Err(error) => {
            tracing::warn!(task = uid, error = error.message(), "task of the gateway failed");
            ChoreEnd { outcome: Outcome::Failed(error), details: None }
        }
    }
}
