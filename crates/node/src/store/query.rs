//! Finding tasks.

use miroir_protocol::tasks::TaskFilter;
use rusqlite::types::Value as Sql;
use time::OffsetDateTime;

use super::row::{TASK_COLUMNS, nanos, task_of};
use super::tasks::Task;
use super::{Result, Store};

/// Which part of the tasks found is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) limit: u32,
    /// First uid of the page.
    pub(crate) from: Option<u32>,
    /// Oldest first; newest first otherwise.
    pub(crate) reverse: bool,
}

/// A condition in SQL with its parameters.
#[derive(Debug, Default)]
struct Condition {
    sql: String,
    parameters: Vec<Sql>,
}

impl Condition {
    fn and(&mut self, sql: &str) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push_str(sql);
    }

    fn one_of<W, T: Into<Sql>>(&mut self, column: &str, wanted: &Option<Vec<W>>, value: impl Fn(&W) -> T) {
        let Some(wanted) = wanted else { return };
        let places = vec!["?"; wanted.len()].join(", ");
        self.and(&format!("{column} IN ({places})"));
        self.parameters.extend(wanted.iter().map(|wanted| value(wanted).into()));
    }

    fn between(&mut self, column: &str, after: Option<OffsetDateTime>, before: Option<OffsetDateTime>) {
        for (operator, moment) in [(">", after), ("<", before)] {
            if let Some(moment) = moment {
                self.and(&format!("{column} {operator} ?"));
                self.parameters.push(nanos(moment).into());
            }
        }
    }
}

fn condition(filter: &TaskFilter) -> Condition {
    let mut condition = Condition::default();
    condition.one_of("uid", &filter.uids, |uid| i64::from(*uid));
    condition.one_of("batch_uid", &filter.batch_uids, |uid| i64::from(*uid));
    condition.one_of("status", &filter.statuses, |status| status.name().to_owned());
    condition.one_of("kind", &filter.types, |kind| kind.name().to_owned());
    condition.one_of("index_uid", &filter.index_uids, |uid| uid.as_str().to_owned());
    condition.one_of("canceled_by", &filter.canceled_by, |uid| i64::from(*uid));
    condition.between("enqueued_at", filter.after_enqueued_at, filter.before_enqueued_at);
    condition.between("started_at", filter.after_started_at, filter.before_started_at);
    condition.between("finished_at", filter.after_finished_at, filter.before_finished_at);
    condition
}

impl Store {
    /// The tasks of one page and the number of tasks on all pages.
    pub(crate) fn find_tasks(&self, filter: &TaskFilter, page: Page) -> Result<(Vec<Task>, u64)> {
        let mut condition = condition(filter);
        let connection = self.connection.lock();
        let total: u64 = connection.query_row(
            &format!("SELECT COUNT(*) FROM tasks{}", condition.sql),
            rusqlite::params_from_iter(&condition.parameters),
            |row| row.get::<_, i64>(0).map(|count| count.unsigned_abs()),
        )?;
        let (operator, order) = if page.reverse { (">=", "ASC") } else { ("<=", "DESC") };
        if let Some(from) = page.from {
            condition.and(&format!("uid {operator} ?"));
            condition.parameters.push(i64::from(from).into());
        }
        condition.parameters.push(i64::from(page.limit).into());
        let mut statement = connection.prepare(&format!(
            "SELECT {TASK_COLUMNS} FROM tasks{} ORDER BY uid {order} LIMIT ?",
            condition.sql
        ))?;
        let rows =
            statement.query_map(rusqlite::params_from_iter(&condition.parameters), |row| Ok(task_of(row)))?;
        let tasks = rows.map(|row| row?).collect::<Result<_>>()?;
        Ok((tasks, total))
    }
}

#[cfg(test)]
mod tests {
    use miroir_protocol::tasks::{TaskFilter, TaskStatus};

    use super::Page;
    use crate::scheduler::Operation;
    use crate::store::{NewTask, Store};

    const ALL: Page = Page { limit: 20, from: None, reverse: false };

    fn store_of(indexes: &[&str]) -> Store {
        let store = Store::in_memory().expect("a store in memory opens");
        for index in indexes {
            let new = NewTask {
                index_uid: Some((*index).to_owned()),
                operation: Operation::IndexDeletion,
                custom_metadata: None,
            };
            store.enqueue(new).expect("a task is enqueued");
        }
        store
    }

    fn uids(store: &Store, filter: &TaskFilter, page: Page) -> Vec<u32> {
        let (tasks, _) = store.find_tasks(filter, page).expect("tasks are found");
        tasks.iter().map(|task| task.uid).collect()
    }

    #[test]
    fn newest_tasks_come_first() {
        let store = store_of(&["a", "b", "a"]);
        assert_eq!(uids(&store, &TaskFilter::default(), ALL), [2, 1, 0]);
        let oldest = Page { reverse: true, limit: 2, from: Some(1) };
        assert_eq!(uids(&store, &TaskFilter::default(), oldest), [1, 2]);
    }

    #[test]
    fn conditions_hold_together() {
        let store = store_of(&["a", "b", "a"]);
        let filter = TaskFilter {
            index_uids: Some(vec!["a".parse().expect("a name")]),
            uids: Some(vec![0, 1]),
            statuses: Some(vec![TaskStatus::Enqueued]),
            ..TaskFilter::default()
        };
        assert_eq!(uids(&store, &filter, ALL), [0]);
    }

    #[test]
    fn uids_of_deleted_tasks_are_not_used_again() {
        let store = store_of(&["a", "b"]);
        store.connection.lock().execute("UPDATE tasks SET status = 'failed'", []).expect("an update");
        assert_eq!(store.delete_tasks(&[0, 1]).expect("a deletion"), 2);
        let new = NewTask { index_uid: None, operation: Operation::DocumentClear, custom_metadata: None };
        assert_eq!(store.enqueue(new).expect("a task is enqueued").uid, 2);
    }
}
