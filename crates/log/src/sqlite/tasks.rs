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
#[derive(Debug, Default, Clone)]
struct Conditions {
    sql: Vec<String>,
    values: Vec<Sql>,
}

/// A part of the tasks: where they are looked for, and what holds for them. No task is in two parts of a filter.
#[derive(Debug)]
struct Part {
    source: &'static str,
    conditions: Conditions,
}

/// Fewer than one in so many tasks are looked for in an index, with all of them sorted then, more of them in their order.
const RARE: u64 = 1_000;

/// The page of tasks that a query asks for.
///
/// As in Meilisearch, `total` counts all that match, whatever `from` and `limit` are, and counts
/// index swaps when it filters by index although it does not list them.
pub(super) fn page(connection: &Connection, query: &TasksQuery) -> Result<TaskPage> {
    let mut parts = parts(&query.filter)?;
    let total = count(connection, &query.filter, &parts)?;
    let (order, bound) = if query.reverse { ("ASC", "uid >= ?") } else { ("DESC", "uid <= ?") };
    let most: u64 = connection.query_row("SELECT ifnull(max(uid), 0) FROM entries", [], |row| row.get(0))?;
    let (mut selects, mut values) = (Vec::new(), Vec::new());
    for part in &mut parts {
        if let Some(from) = query.from {
            part.conditions.push(bound, Sql::from(from));
        }
        match part.source {
            BY_FILTERS if query.filter.index_uids.is_some() => part.source = BY_INDEX,
            BY_FILTERS if total.saturating_mul(RARE) > most => part.source = "entries",
            _ => {}
        }
        if query.filter.index_uids.is_some() {
            part.conditions.push("kind != ?", Sql::from(Kind::IndexSwap.name().to_owned()));
        }
        // One more than asked for tells where the next page begins.
        part.conditions.values.push(Sql::from(i64::from(query.limit) + 1));
        selects.push(format!(
            "SELECT * FROM (SELECT uid FROM {}{} ORDER BY uid {order} LIMIT ?)",
            part.source,
            part.conditions.clause()
        ));
        values.append(&mut part.conditions.values);
    }
    values.push(Sql::from(i64::from(query.limit) + 1));
    let sql = format!(
        "SELECT {TASK} FROM entries WHERE uid IN ({}) ORDER BY uid {order} LIMIT ?",
        selects.join(" UNION ALL "),
    );
    let mut results = Vec::new();
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query(params_from_iter(&values))?;
    while let Some(row) = rows.next()? {
        results.push(task(row)?);
    }
    let more = results.len() > query.limit as usize;
    let next = if more { results.pop().map(|task| task.uid) } else { None };
    let from = results.first().map(|task| task.uid);
    Ok(TaskPage { results, total, limit: query.limit, from, next })
}

/// How many tasks these parts hold together.
fn count(connection: &Connection, filter: &TaskFilter, parts: &[Part]) -> Result<u64> {
    if *filter == TaskFilter::default() {
        // All there are is known without looking at each.
        let deleted = format!("SELECT count(*) FROM entries WHERE status = '{DELETED}'");
        return Ok(number(connection, "SELECT count(*) FROM entries", &[])?.saturating_sub(number(
            connection,
            &deleted,
            &[],
        )?));
    }
    parts.iter().try_fold(0, |sum, Part { source, conditions }| {
        let sql = format!("SELECT count(*) FROM {source}{}", conditions.clause());
        Ok(sum + number(connection, &sql, &conditions.values)?)
    })
}

/// The number that a query gives.
fn number(connection: &Connection, sql: &str, values: &[Sql]) -> Result<u64> {
    let mut select = connection.prepare_cached(sql)?;
    Ok(select.query_row(params_from_iter(values), |row| row.get(0))?)
}

/// The uids of all tasks that match.
pub(super) fn matching(connection: &Connection, filter: &TaskFilter) -> Result<Uids> {
    let mut found: Vec<u32> = Vec::new();
    for Part { source, conditions } in parts(filter)? {
        let sql = format!("SELECT uid FROM {source}{}", conditions.clause());
        let mut select = connection.prepare_cached(&sql)?;
        let rows = select.query_map(params_from_iter(&conditions.values), |row| row.get(0))?;
        for uid in rows {
            found.push(uid?);
        }
    }
    Ok(found.into_iter().collect())
}

/// The page of batches with a task that a query asks for.
pub(super) fn batches(connection: &Connection, query: &TasksQuery) -> Result<TaskPage<BatchView>> {
    let parts = parts(&query.filter)?;
    let total = count_batches(connection, &query.filter, &parts)?;
    let (order, bound) = if query.reverse { ("ASC", "batch_uid >= ?") } else { ("DESC", "batch_uid <= ?") };
    let (mut selects, mut values) = (Vec::new(), Vec::new());
    for Part { source, mut conditions } in parts {
        conditions.sql.push("batch_uid IS NOT NULL".to_owned());
        if let Some(from) = query.from {
            conditions.push(bound, Sql::from(from));
        }
        selects.push(format!("SELECT DISTINCT batch_uid FROM {source}{}", conditions.clause()));
        values.append(&mut conditions.values);
    }
    values.push(Sql::from(i64::from(query.limit) + 1));
    let sql = format!("{} ORDER BY batch_uid {order} LIMIT ?", selects.join(" UNION "));
    let mut select = connection.prepare_cached(&sql)?;
    let uids = select.query_map(params_from_iter(&values), |row| row.get(0))?;
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

/// How many batches have a task in these parts.
fn count_batches(connection: &Connection, filter: &TaskFilter, parts: &[Part]) -> Result<u64> {
    if *filter == TaskFilter::default() {
        // Nothing but the index is read, and the few rows that are deleted and not yet gone.
        let all = "SELECT count(DISTINCT batch_uid) FROM entries INDEXED BY entries_by_batch WHERE batch_uid IS NOT NULL";
        let gone = format!(
            "SELECT count(DISTINCT batch_uid) FROM entries AS gone WHERE status = '{DELETED}' AND batch_uid IS NOT NULL AND \
             NOT EXISTS (SELECT 1 FROM entries WHERE batch_uid = gone.batch_uid AND status != '{DELETED}')"
        );
        return Ok(number(connection, all, &[])?.saturating_sub(number(connection, &gone, &[])?));
    }
    let (mut selects, mut values) = (Vec::new(), Vec::new());
    for Part { source, conditions } in parts {
        selects.push(format!("SELECT batch_uid FROM {source}{}", conditions.clause()));
        values.extend_from_slice(&conditions.values);
    }
    let sql = format!("SELECT count(DISTINCT batch_uid) FROM ({})", selects.join(" UNION ALL "));
    number(connection, &sql, &values)
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

/// Has all columns of filters, so that no rows are read.
const BY_FILTERS: &str = "entries INDEXED BY entries_by_filters";
/// Has the tasks of an index in their order.
const BY_INDEX: &str = "entries INDEXED BY entries_by_index";

/// Where the tasks are looked for. The index that has all columns of filters is read instead of whole
/// rows, unless uids, or statuses alone, or statuses that few tasks have, lead to them.
fn source(filter: &TaskFilter) -> &'static str {
    let few = filter.statuses.as_ref().is_some_and(|statuses| !statuses.contains(&TaskStatus::Succeeded));
    let rest = TaskFilter { statuses: None, ..filter.clone() };
    if filter.uids.is_some() || few || rest == TaskFilter::default() { "entries" } else { BY_FILTERS }
}

/// The parts that match a filter. A filter by index has two: the tasks of the indexes, and those that are about them too.
fn parts(filter: &TaskFilter) -> Result<Vec<Part>> {
    let (source, conditions) = (source(filter), Conditions::matching(filter)?);
    let Some(uids) = &filter.index_uids else { return Ok(vec![Part { source, conditions }]) };
    let mut own = Part { source, conditions: conditions.clone() };
    let json = to_json(&uids.iter().map(IndexUid::as_str).collect::<Vec<_>>())?;
    match uids.as_slice() {
        [uid] => own.conditions.push("index_uid = ?", Sql::from(uid.as_str().to_owned())),
        _ => own.conditions.push("index_uid IN (SELECT value FROM json_each(?))", Sql::from(json.clone())),
    }
    let mut further = Part { source: "entries", conditions };
    further.conditions.sql.push(
        "uid IN (SELECT uid FROM further_indexes WHERE index_uid IN (SELECT value FROM json_each(?))) \
         AND ifnull(index_uid, '') NOT IN (SELECT value FROM json_each(?))"
            .to_owned(),
    );
    further.conditions.values.extend([Sql::from(json.clone()), Sql::from(json)]);
    Ok(vec![own, further])
}

// === impl Conditions ===

impl Conditions {
    /// All but what a filter says of indexes.
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
