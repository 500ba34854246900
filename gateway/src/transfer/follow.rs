//! Following a running source: what its tasks have changed since is brought over again, until clients are switched.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Report, TransferError, import::Import};

const LOOK: Duration = Duration::from_secs(1);
/// Tasks that are listed at once.
const PAGE: u64 = 1_000;

/// How far an import has come, kept in a file so that a later run goes on from there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Progress {
    /// Everything up to this task of the source is in the target, once `done` is complete.
    pub task: Option<u64>,
    /// Indexes whose first copy is complete.
    pub done: BTreeSet<String>,
}

/// Where progress is kept.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint(pub Option<PathBuf>);

impl Checkpoint {
    /// The progress of an earlier run.
    pub(crate) fn load(&self) -> Result<Progress, TransferError> {
        let Some(file) = &self.0 else { return Ok(Progress::default()) };
        match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| TransferError::File { file: file.clone(), error: error.into() }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Progress::default()),
            Err(error) => Err(TransferError::File { file: file.clone(), error }),
        }
    }

    fn save(&self, progress: &Progress) -> Result<(), TransferError> {
        let Some(file) = &self.0 else { return Ok(()) };
        let saved = serde_json::to_vec(progress).map_err(std::io::Error::from).and_then(|bytes| {
            let new = file.with_extension("new");
            std::fs::write(&new, bytes)?;
            std::fs::rename(&new, file)
        });
        saved.map_err(|error| TransferError::File { file: file.clone(), error })
    }
}

/// What tasks of the source have changed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    indexes: BTreeSet<String>,
    /// The last task that has ended, with none before it that has not.
    up_to: Option<u64>,
    /// Whether some have not ended.
    open: bool,
}

/// Brings everything over, then follows. With `once`, ends as soon as nothing is left to bring over.
pub(crate) async fn run(
    import: &Import,
    checkpoint: &Checkpoint,
    once: bool,
    report: Report<'_>,
) -> Result<(), TransferError> {
    let mut progress = checkpoint.load()?;
    if progress.task.is_none() {
        progress.task = newest(import).await?;
        import.instance(report).await?;
        checkpoint.save(&progress)?;
    }
    for uid in import.indexes().await? {
        if !progress.done.contains(&uid) {
            import.index(&uid, report).await?;
            progress.done.insert(uid);
            checkpoint.save(&progress)?;
        }
    }
    let mut was_level = false;
    loop {
        let changes = changes(import, progress.task).await?;
        for uid in &changes.indexes {
            import.index(uid, report).await?;
        }
        if changes.up_to > progress.task {
            progress.task = changes.up_to;
            checkpoint.save(&progress)?;
            was_level = false;
        } else if !changes.open {
            if !was_level {
                let task =
                    progress.task.map_or_else(|| "the beginning".to_owned(), |task| format!("task {task}"));
                report(&format!("level with the source at {task}: clients can be switched"));
            }
            was_level = true;
            if once {
                return Ok(());
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn newest(import: &Import) -> Result<Option<u64>, TransferError> {
    let page = import.source.get(miroir_nodes::NEWEST_ENDED).await?;
    // Tasks that are open now may end before the documents are read, or after: they are looked at again.
    let open = import.source.get("/tasks?limit=1&statuses=enqueued,processing&reverse=true").await?;
    let first_open = open["results"][0]["uid"].as_u64();
    let newest = page["results"][0]["uid"].as_u64();
    Ok(match first_open {
        Some(open) => open.checked_sub(1),
        None => newest,
    })
}

async fn changes(import: &Import, after: Option<u64>) -> Result<Changes, TransferError> {
    let from = after.map_or(0, |task| task + 1);
    let page = import.source.get(&format!("/tasks?reverse=true&from={from}&limit={PAGE}")).await?;
    let tasks = page["results"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(of_tasks(tasks, after))
}

fn of_tasks(tasks: &[Value], after: Option<u64>) -> Changes {
    let mut changes = Changes { up_to: after, ..Changes::default() };
    for task in tasks {
        let Some(uid) = task["uid"].as_u64().filter(|uid| Some(*uid) > after) else { continue };
        match task["status"].as_str() {
            Some("enqueued" | "processing") => {
                changes.open = true;
                return changes;
            }
            Some("succeeded") => changes.indexes.extend(touched(task)),
            _ => {}
        }
        changes.up_to = Some(uid);
    }
    changes
}

/// The indexes that a task has changed.
fn touched(task: &Value) -> Vec<String> {
    let details = &task["details"];
    let swapped = details["swaps"].as_array().into_iter().flatten();
    let swapped = swapped.flat_map(|swap| swap["indexes"].as_array().into_iter().flatten());
    let renamed = [&details["oldIndexUid"], &details["newIndexUid"], &task["indexUid"]];
    swapped.chain(renamed).filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_behind_an_open_task_counts_yet() {
        let tasks = [
            json!({ "uid": 4, "status": "succeeded", "indexUid": "a" }),
            json!({ "uid": 5, "status": "succeeded", "indexUid": "b" }),
            json!({ "uid": 6, "status": "failed", "indexUid": "c" }),
            json!({ "uid": 7, "status": "processing", "indexUid": "d" }),
            json!({ "uid": 8, "status": "succeeded", "indexUid": "e" }),
        ];
        let expected = Changes { indexes: BTreeSet::from(["b".to_owned()]), up_to: Some(6), open: true };
        assert_eq!(of_tasks(&tasks, Some(4)), expected);
    }

    #[test]
    fn swaps_and_renames_change_both_indexes() {
        let swap = json!({ "details": { "swaps": [{ "indexes": ["a", "b"] }] } });
        assert_eq!(touched(&swap), ["a", "b"]);
        let rename = json!({ "indexUid": "y", "details": { "oldIndexUid": "x", "newIndexUid": "y" } });
        assert_eq!(touched(&rename), ["x", "y", "y"]);
    }
}
