//! Which waiting tasks are processed together.

use std::collections::BTreeSet;

use super::operation::Operation;
use crate::store::Task;

/// How much one batch may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimits {
    pub(super) tasks: usize,
    /// Bytes of payload, which are all in memory at once. A single larger payload is still taken.
    pub(super) bytes: u64,
}

/// Tasks that are processed together: additions of documents to one index, deletions from one index, or one task of
/// any kind.
pub(super) fn next_batch(
    waiting: Vec<Task>,
    primary_key_of: impl FnOnce(&str) -> Option<String>,
    alone: &BTreeSet<u32>,
    limits: BatchLimits,
) -> Vec<Task> {
    let mut waiting = waiting.into_iter();
    let Some(first) = waiting.next() else { return Vec::new() };
    let index = match &first.index_uid {
        Some(index) if is_batched(&first.operation) && !alone.contains(&first.uid) => index.clone(),
        _ => return vec![first],
    };
    let index_key = primary_key_of(&index);
    if is_guess(&first.operation, index_key.as_deref())
        || !fits_primary_key(&first.operation, index_key.as_deref())
    {
        return vec![first];
    }
    let mut bytes = bytes_of(&first.operation);
    let mut batch = vec![first];
    for task in waiting {
        let concerns_index = task.index_uid.as_deref() == Some(&index);
        if !concerns_index && !moves_indexes(&task.operation) {
            continue;
        }
        bytes += bytes_of(&task.operation);
        let joins = concerns_index
            && batch.len() < limits.tasks
            && bytes <= limits.bytes
            && !alone.contains(&task.uid)
            && goes_with(&batch[0].operation, &task.operation, index_key.as_deref());
        if !joins {
            break;
        }
        batch.push(task);
    }
    batch
}

/// The primary key that the tasks of a batch name.
pub(super) fn primary_key_of(batch: &[Task]) -> Option<&str> {
    batch.iter().find_map(|task| match &task.operation {
        Operation::DocumentAddition { primary_key, .. } => primary_key.as_deref(),
        _ => None,
    })
}

fn is_batched(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::DocumentAddition { skip_creation: false, .. }
            | Operation::DocumentDeletion { .. }
            | Operation::DocumentDeletionByFilter { .. }
    )
}

fn is_addition(operation: &Operation) -> bool {
    matches!(operation, Operation::DocumentAddition { .. })
}

/// Whether tasks of other indexes that come later must wait for this one.
fn moves_indexes(operation: &Operation) -> bool {
    matches!(operation, Operation::IndexSwap { .. } | Operation::IndexUpdate { new_uid: Some(_), .. })
}

fn fits_primary_key(operation: &Operation, index_key: Option<&str>) -> bool {
    match (operation, index_key) {
        (Operation::DocumentAddition { primary_key: Some(key), .. }, Some(index_key)) => key == index_key,
        _ => true,
    }
}

/// Whether the task's documents decide which field is the primary key. What becomes of the tasks behind it must not
/// depend on how many of them happen to wait already.
fn is_guess(operation: &Operation, index_key: Option<&str>) -> bool {
    index_key.is_none() && matches!(operation, Operation::DocumentAddition { primary_key: None, .. })
}

/// Whether a task can follow the first of a batch. Where the index has no primary key yet, tasks that name another one
/// cannot.
fn goes_with(first: &Operation, next: &Operation, index_key: Option<&str>) -> bool {
    if !is_batched(next) || is_addition(first) != is_addition(next) || !fits_primary_key(next, index_key) {
        return false;
    }
    match (first, next) {
        (
            Operation::DocumentAddition { primary_key: first, .. },
            Operation::DocumentAddition { primary_key: next @ Some(_), .. },
        ) => index_key.is_some() || first == next,
        _ => true,
    }
}

fn bytes_of(operation: &Operation) -> u64 {
    match operation {
        Operation::DocumentAddition { bytes, .. } => *bytes,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use miroir_protocol::tasks::TaskStatus;
    use time::OffsetDateTime;

    use super::{BatchLimits, next_batch};
    use crate::scheduler::{Method, Operation};
    use crate::store::Task;

    const KEY: Option<&str> = Some("id");

    const LIMITS: BatchLimits = BatchLimits { tasks: 10, bytes: 100 };

    fn addition(primary_key: Option<&str>) -> Operation {
        Operation::DocumentAddition {
            method: Method::Replace,
            primary_key: primary_key.map(str::to_owned),
            payload: String::new(),
            documents: 1,
            bytes: 10,
            skip_creation: false,
        }
    }

    fn queue(tasks: &[(&str, Operation)]) -> Vec<Task> {
        let task = |(uid, (index, operation)): (usize, &(&str, Operation))| Task {
            uid: u32::try_from(uid).expect("few tasks"),
            batch_uid: None,
            index_uid: (!index.is_empty()).then(|| (*index).to_owned()),
            status: TaskStatus::Enqueued,
            operation: operation.clone(),
            details: serde_json::Value::Null,
            error: None,
            canceled_by: None,
            custom_metadata: None,
            enqueued_at: OffsetDateTime::UNIX_EPOCH,
            started_at: None,
            finished_at: None,
        };
        tasks.iter().enumerate().map(task).collect()
    }

    fn batch(tasks: &[(&str, Operation)], index_key: Option<&str>, alone: &[u32]) -> Vec<u32> {
        let alone = BTreeSet::from_iter(alone.iter().copied());
        let batch = next_batch(queue(tasks), |_| index_key.map(str::to_owned), &alone, LIMITS);
        batch.iter().map(|task| task.uid).collect()
    }

    #[test]
    fn additions_to_one_index_go_together_past_other_indexes() {
        let tasks = [("a", addition(None)), ("b", addition(None)), ("a", addition(None))];
        assert_eq!(batch(&tasks, KEY, &[]), [0, 2]);
    }

    #[test]
    fn another_kind_of_task_ends_the_batch() {
        let clear = ("a", Operation::DocumentClear);
        let tasks = [("a", addition(None)), clear, ("a", addition(None))];
        assert_eq!(batch(&tasks, KEY, &[]), [0]);
    }

    #[test]
    fn nothing_passes_a_swap() {
        let swap = ("", Operation::IndexSwap { swaps: Vec::new() });
        let tasks = [("a", addition(None)), swap, ("a", addition(None))];
        assert_eq!(batch(&tasks, KEY, &[]), [0]);
    }

    #[test]
    fn primary_keys_must_agree() {
        let tasks = [("a", addition(Some("id"))), ("a", addition(None)), ("a", addition(Some("sku")))];
        assert_eq!(batch(&tasks, None, &[]), [0, 1]);
        assert_eq!(batch(&tasks, Some("sku"), &[]), [0]);
    }

    #[test]
    fn documents_that_decide_the_primary_key_come_alone() {
        let tasks = [("a", addition(None)), ("a", addition(None))];
        assert_eq!(batch(&tasks, None, &[]), [0]);
        assert_eq!(batch(&tasks, Some("sku"), &[]), [0, 1]);
    }

    #[test]
    fn payloads_of_a_batch_are_limited() {
        let tasks = vec![("a", addition(None)); 12];
        assert_eq!(batch(&tasks, KEY, &[]).len(), 10);
    }

    #[test]
    fn task_that_broke_a_batch_is_processed_alone() {
        let tasks = [("a", addition(None)), ("a", addition(None)), ("a", addition(None))];
        assert_eq!(batch(&tasks, KEY, &[1]), [0]);
        assert_eq!(batch(&tasks[1..], KEY, &[0]), [0]);
    }
}
