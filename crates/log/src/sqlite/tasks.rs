//! Listing tasks, as Meilisearch's `GET /tasks` does.

use miroir_protocol::{
    IndexUid,
    tasks::{BatchView, Kind, TaskFilter, TaskPage, TaskStatus, TasksQuery},
};
use rusqlite::{Connection, params_from_iter, types::Value as Sql};
use serde::Serialize;
use time::OffsetDateTime;

use super::rows::{DELETED, TASK, task, to_json, to_nanos};
use crate::{error::Result, uids::Uids};

/// Conditions on tasks, and what they are bound to.
#[derive(Debug, Default)]
struct Conditions {
    sql: Vec<String>,
    values: Vec<Sql>,
}

/// The page of tasks that a query asks for.
///
/// As in Meilisearch, `total` counts all that match, whatever `from` and `limit` are, and counts
/// index swaps when it filters by index although it does not list them.
pub(super) fn page(connection: &Connection, query: &TasksQuery) -> Result<TaskPage> {
    let mut conditions = Conditions::matching(&query.filter)?;
    let entries = source(&query.filter);
    let sql = format!("SELECT count(*) FROM {entries}{}", conditions.clause());
    let mut count = connection.prepare_cached(&sql)?;
    let total = count.query_row(params_from_iter(&conditions.values), |row| row.get(0))?;
    let (order, bound) = if query.reverse { ("ASC", "uid >= ?") } else { ("DESC", "uid <= ?") };
    if let Some(from) = query.from {
        conditions.push(bound, Sql::from(from));
    }
    if query.filter.index_uids.is_some() {
        conditions.push("kind != ?", Sql::from(Kind::IndexSwap.name().to_owned()));
    }
    // One more than asked for tells where the next page begins.
    conditions.values.push(Sql::from(i64::from(query.limit) + 1));
    let sql = format!(
        "SELECT {TASK} FROM entries WHERE uid IN \
         (SELECT uid FROM {entries}{} ORDER BY uid {order} LIMIT ?) ORDER BY uid {order}",
        conditions.clause(),
    );
    let mut results = Vec::new();
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(&conditions.values))?;
    while let Some(row) = rows.next()? {
        results.push(task(row)?);
    }
    let more = results.len() > query.limit as usize;
    let next = if more { results.pop().map(|task| task.uid) } else { None };
    let from = results.first().map(|task| task.uid);
    Ok(TaskPage { results, total, limit: query.limit, from, next })
}

/// The uids of all tasks that match.
pub(super) fn matching(connection: &Connection, filter: &TaskFilter) -> Result<Uids> {
    let conditions = Conditions::matching(filter)?;
    let sql = format!("SELECT uid FROM {}{}", source(filter), conditions.clause());
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map(params_from_iter(&conditions.values), |row| row.get(0))?;
    Ok(rows.collect::<Result<Vec<u32>, _>>()?.into_iter().collect())
}

/// The page of batches with a task that a query asks for.
pub(super) fn batches(connection: &Connection, query: &TasksQuery) -> Result<TaskPage<BatchView>> {
    let mut conditions = Conditions::matching(&query.filter)?;
    conditions.sql.push("batch_uid IS NOT NULL".to_owned());
    let sql = format!("SELECT count(DISTINCT batch_uid) FROM entries{}", conditions.clause());
    let mut count = connection.prepare_cached(&sql)?;
    let total = count.query_row(params_from_iter(&conditions.values), |row| row.get(0))?;
    let (order, bound) = if query.reverse { ("ASC", "batch_uid >= ?") } else { ("DESC", "batch_uid <= ?") };
    if let Some(from) = query.from {
        conditions.push(bound, Sql::from(from));
    }
    conditions.values.push(Sql::from(i64::from(query.limit) + 1));
    let sql = format!(
        "SELECT DISTINCT batch_uid FROM entries{} ORDER BY batch_uid {order} LIMIT ?",
        conditions.clause()
    );
    let mut select = connection.prepare_cached(&sql)?;
    let uids = select.query_map(params_from_iter(&conditions.values), |row| row.get(0))?;
    let mut uids = uids.collect::<Result<Vec<u32>, _>>()?;
    let more = uids.len() > query.limit as usize;
    let next = if more { uids.pop() } else { None };
    let mut results = Vec::with_capacity(uids.len());
    for uid in uids {
        results.extend(batch(connection, uid)?);
    }
    let from = results.first().map(|batch| batch.uid);
    Ok(TaskPage { results, total, limit: query.limit, from, next })
}

/// One batch, of the tasks that are left of it.
pub(super) fn batch(connection: &Connection, uid: u32) -> Result<Option<BatchView>> {
    let sql =
        format!("SELECT {TASK} FROM entries WHERE batch_uid = ?1 AND status != '{DELETED}' ORDER BY uid");
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query([uid])?;
    let mut tasks = Vec::new();
    while let Some(row) = rows.next()? {
        tasks.push(task(row)?);
    }
    Ok((!tasks.is_empty()).then(|| BatchView::of(uid, &tasks)))
}

/// Where the tasks are looked for. The index that has all columns of filters is read instead of whole
/// rows, unless uids, or statuses alone, or statuses that few tasks have, lead to them.
fn source(filter: &TaskFilter) -> &'static str {
    let few = filter.statuses.as_ref().is_some_and(|statuses| !statuses.contains(&TaskStatus::Succeeded));
    let rest = TaskFilter { statuses: None, ..filter.clone() };
    if filter.uids.is_some() || few || rest == TaskFilter::default() {
        "entries"
    } else {
        "entries INDEXED BY entries_by_filters"
    }
}

// === impl Conditions ===

impl Conditions {
    fn matching(query: &TaskFilter) -> Result<Self> {
        let mut all = Self::default();
        if query.statuses.is_none() {
            all.push("status != ?", Sql::from(DELETED.to_owned()));
        }
        all.any_of("uid", query.uids.as_deref())?;
        all.any_of("batch_uid", query.batch_uids.as_deref())?;
        all.any_of("canceled_by", query.canceled_by.as_deref())?;
        let names = |statuses: &Vec<TaskStatus>| statuses.iter().map(|s| s.name()).collect::<Vec<_>>();
        all.any_of("status", query.statuses.as_ref().map(names).as_deref())?;
        let names = |kinds: &Vec<Kind>| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>();
        all.any_of("kind", query.types.as_ref().map(names).as_deref())?;
        if let Some(uids) = &query.index_uids {
            let uids = to_json(&uids.iter().map(IndexUid::as_str).collect::<Vec<_>>())?;
            all.sql.push(
                "(index_uid IN (SELECT value FROM json_each(?)) OR uid IN \
                 (SELECT uid FROM further_indexes WHERE index_uid IN (SELECT value FROM json_each(?))))"
                    .to_owned(),
            );
            all.values.extend([Sql::from(uids.clone()), Sql::from(uids)]);
        }
        all.between("enqueued_at", query.after_enqueued_at, query.before_enqueued_at);
        all.between("started_at", query.after_started_at, query.before_started_at);
        all.between("finished_at", query.after_finished_at, query.before_finished_at);
        Ok(all)
    }

    fn push(&mut self, condition: &str, value: Sql) {
        self.sql.push(condition.to_owned());
        self.values.push(value);
    }

    /// A list is one bound value, so there are few statements to prepare and no limit.
    fn any_of<T: Serialize>(&mut self, column: &str, values: Option<&[T]>) -> Result<()> {
        if let Some(values) = values {
            self.push(&format!("{column} IN (SELECT value FROM json_each(?))"), Sql::from(to_json(&values)?));
        }
        Ok(())
    }

    /// Both bounds are exclusive. A time that is not known yet is in no range.
    fn between(&mut self, column: &str, after: Option<OffsetDateTime>, before: Option<OffsetDateTime>) {
        if let Some(after) = after {
            self.push(&format!("{column} > ?"), Sql::from(to_nanos(after)));
        }
        if let Some(before) = before {
            self.push(&format!("{column} < ?"), Sql::from(to_nanos(before)));
        }
    }

    fn clause(&self) -> String {
        if self.sql.is_empty() { String::new() } else { format!(" WHERE {}", self.sql.join(" AND ")) }
    }
}
