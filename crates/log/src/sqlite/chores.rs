//! What the log does to tasks by itself: cancel them, forget them, show them under the names their indexes have now.

use miroir_protocol::tasks::TaskView;
use rusqlite::OptionalExtension;
use serde_json::Value;

use super::{
    apply::Staged,
    command::Reply,
    rows::{DELETED, to_json},
};
use crate::{
    entry::{Finished, Outcome},
    error::{LogError, Result},
    operation::Operation,
    record,
};

impl Staged<'_> {
    pub(super) fn cancel(&mut self, by: u32, from: u32) -> Result<Reply> {
        let end = self.unfinished(by)?;
        let Operation::TaskCancelation { tasks: wanted, .. } = self.operation(by)? else {
            return Err(LogError::Damaged(format!("entry {by} cancels nothing")));
        };
        let open = "SELECT uid FROM entries WHERE finished_at IS NULL AND uid >= ?1 AND uid < ?2";
        let mut open = self.connection.prepare_cached(open)?;
        let open = open.query_map([from, by], |row| row.get(0))?.collect::<Result<Vec<u32>, _>>()?;
        let mut canceled = Vec::new();
        let batch = self.ledger.new_batch();
        for uid in open.into_iter().filter(|uid| wanted.contains(*uid)) {
            let operation = self.operation(uid)?;
            if operation.is_about_tasks() {
                continue;
            }
            let task = self.unfinished(uid)?;
            let details = operation.canceled_details(task.index_uid.as_deref());
            self.end_in(batch, task, Outcome::Canceled { by }, details)?;
            canceled.push(uid);
        }
        let details = with_count(end.details.clone(), "canceledTasks", canceled.len());
        self.end_in(batch, end, Outcome::Succeeded, details)?;
        Ok(Reply::Tasks(canceled.into_iter().collect()))
    }

    pub(super) fn delete_tasks(&mut self, by: u32) -> Result<Reply> {
        let end = self.unfinished(by)?;
        let Operation::TaskDeletion { tasks: wanted, .. } = self.operation(by)? else {
            return Err(LogError::Damaged(format!("entry {by} deletes nothing")));
        };
        let sql = format!(
            "UPDATE entries SET status = '{DELETED}' WHERE uid BETWEEN ?1 AND ?2 AND finished_at IS NOT NULL \
             AND status != '{DELETED}' RETURNING uid"
        );
        let mut delete = self.connection.prepare_cached(&sql)?;
        let mut deleted = Vec::new();
        for range in wanted.ranges() {
            let uids = delete.query_map([range.0, range.1], |row| row.get::<_, u32>(0))?;
            deleted.extend(uids.collect::<Result<Vec<_>, _>>()?);
        }
        drop(delete);
        self.tasks.retain(|uid, _| !deleted.contains(uid));
        let details = with_count(end.details.clone(), "deletedTasks", deleted.len());
        let batch = self.ledger.new_batch();
        self.end_in(batch, end, Outcome::Succeeded, details)?;
        self.deleted.extend_from_slice(&deleted);
        Ok(Reply::Tasks(deleted.into_iter().collect()))
    }

    /// Ends a task in this batch, now.
    fn end_in(
        &mut self,
        batch: u32,
        mut task: TaskView,
        outcome: Outcome,
        details: Option<Value>,
    ) -> Result<()> {
        task.batch_uid.get_or_insert(batch);
        let (catalog, renames) = (Vec::new(), Vec::new());
        let started_at = task.started_at.or(Some(self.now));
        let end =
            Finished { uid: task.uid, outcome, details, started_at, finished_at: self.now, catalog, renames };
        record::finish(&mut task, &end);
        self.update_finished(&task)?;
        self.tasks.insert(task.uid, task);
        Ok(())
    }

    fn operation(&self, uid: u32) -> Result<Operation> {
        let mut find = self.connection.prepare_cached("SELECT operation FROM entries WHERE uid = ?1")?;
        let text: Option<String> = find.query_row([uid], |row| row.get(0)).optional()?;
        Ok(serde_json::from_str(&text.ok_or(LogError::UnknownEntry(uid))?)?)
    }

    /// From now on the tasks before `uid` that were about `left` are about `right`, and the other way round, for whoever
    /// looks at them. What the entries are for nodes that have yet to apply them stays as it was.
    pub(super) fn rename(&mut self, uid: u32, left: &str, right: &str) -> Result<()> {
        let sql = "UPDATE entries SET target = coalesce(target, index_uid), \
                   index_uid = CASE index_uid WHEN ?2 THEN ?3 ELSE ?2 END \
                   WHERE uid < ?1 AND index_uid IN (?2, ?3)";
        self.connection.prepare_cached(sql)?.execute((uid, left, right))?;
        self.rename_in_swaps(uid, left, right)?;
        // No index has this name.
        const BETWEEN: &str = "";
        let mut further = self
            .connection
            .prepare_cached("UPDATE further_indexes SET index_uid = ?3 WHERE index_uid = ?2 AND uid < ?1")?;
        for (from, to) in [(left, BETWEEN), (right, left), (BETWEEN, right)] {
            further.execute((uid, from, to))?;
        }
        drop(further);
        let earlier = self.tasks.values_mut().filter(|task| task.uid < uid);
        earlier.for_each(|task| record::rename(task, left, right));
        self.renames.push((uid, left.to_owned(), right.to_owned()));
        Ok(())
    }

    /// The details of earlier swaps name indexes too.
    fn rename_in_swaps(&self, uid: u32, left: &str, right: &str) -> Result<()> {
        let sql = "SELECT uid, details FROM entries WHERE kind = 'indexSwap' AND details IS NOT NULL AND uid IN \
                   (SELECT uid FROM further_indexes WHERE uid < ?1 AND index_uid IN (?2, ?3))";
        let mut select = self.connection.prepare_cached(sql)?;
        let found = select.query_map((uid, left, right), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let found = found.collect::<Result<Vec<(u32, String)>, _>>()?;
        let mut update = self.connection.prepare_cached("UPDATE entries SET details = ?2 WHERE uid = ?1")?;
        for (uid, details) in found {
            let mut details: Value = serde_json::from_str(&details)?;
            record::rename_in_details(&mut details, left, right);
            update.execute((uid, to_json(&details)?))?;
        }
        Ok(())
    }
}

/// The details with the count that is known at the end.
fn with_count(details: Option<Value>, name: &str, count: usize) -> Option<Value> {
    let mut details = details?;
    if let Some(members) = details.as_object_mut() {
        members.insert(name.to_owned(), Value::from(count));
    }
    Some(details)
}
