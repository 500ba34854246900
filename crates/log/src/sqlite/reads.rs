//! What is read from the database.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use super::rows::{LOGGED, logged};
use crate::{
    catalog::{Catalog, IndexRecord},
    entry::LoggedEntry,
    error::Result,
    log::StoredMap,
    payload_ref::PayloadRef,
    record_kind::RecordKind,
};

/// How many bytes of payloads are read at once.
const PAYLOADS: usize = 4 << 20;

/// Entries from `from` on, as [`Log::entries`](crate::Log::entries) says.
pub(super) fn entries(
    connection: &Connection,
    from: u32,
    max: usize,
    unfinished: bool,
) -> Result<Vec<LoggedEntry>> {
    let only = if unfinished { "AND finished_at IS NULL" } else { "" };
    let sql = format!(
        "SELECT {LOGGED} FROM entries LEFT JOIN payloads ON payloads.uid = entries.uid \
         WHERE entries.uid >= ?1 {only} ORDER BY entries.uid LIMIT ?2"
    );
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query((from, i64::try_from(max).unwrap_or(i64::MAX)))?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let entry = logged(row)?;
        bytes += entry.entry.operation.payload().map_or(0, PayloadRef::inline_len);
        found.push(entry);
        if bytes >= PAYLOADS {
            break;
        }
    }
    Ok(found)
}

pub(super) fn watermark(connection: &Connection, node: &str) -> Result<Option<u32>> {
    let mut select = connection.prepare_cached("SELECT uid FROM watermarks WHERE node = ?1")?;
    Ok(select.query_row([node], |row| row.get(0)).optional()?)
}

pub(super) fn watermarks(connection: &Connection) -> Result<BTreeMap<String, u32>> {
    let mut select = connection.prepare_cached("SELECT node, uid FROM watermarks")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn map(connection: &Connection) -> Result<Option<StoredMap>> {
    let mut select = connection.prepare_cached("SELECT epoch, bytes FROM map")?;
    let map = select.query_row([], |row| {
        let (epoch, bytes): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        Ok(StoredMap { epoch: epoch.cast_unsigned(), bytes: Bytes::from(bytes) })
    });
    Ok(map.optional()?)
}

pub(super) fn catalog(connection: &Connection) -> Result<Catalog> {
    let mut catalog = Catalog::default();
    let mut select = connection.prepare("SELECT record FROM indexes")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let record: IndexRecord = serde_json::from_str(&row.get::<_, String>(0)?)?;
        catalog.indexes.insert(record.uid.clone(), Arc::new(record));
    }
    Ok(catalog)
}

pub(super) fn record(connection: &Connection, kind: RecordKind, id: &str) -> Result<Option<Value>> {
    let mut select = connection.prepare_cached("SELECT value FROM records WHERE kind = ?1 AND id = ?2")?;
    let json: Option<String> = select.query_row((kind.name(), id), |row| row.get(0)).optional()?;
    Ok(json.map(|json| serde_json::from_str(&json)).transpose()?)
}

pub(super) fn records(connection: &Connection, kind: RecordKind) -> Result<Vec<(String, Value)>> {
    let mut select =
        connection.prepare_cached("SELECT id, value FROM records WHERE kind = ?1 ORDER BY id")?;
    let mut rows = select.query([kind.name()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((row.get(0)?, serde_json::from_str(&row.get::<_, String>(1)?)?));
    }
    Ok(found)
}

pub(super) fn payload_files(connection: &Connection) -> Result<HashSet<String>> {
    let mut select = connection.prepare("SELECT file FROM payloads WHERE file IS NOT NULL")?;
    let rows = select.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn ends(connection: &Connection, after: u64, max: usize) -> Result<Vec<(u64, u32)>> {
    let sql = "SELECT place, uid FROM ended WHERE place > ?1 ORDER BY place LIMIT ?2";
    let mut select = connection.prepare_cached(sql)?;
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let rows = select.query_map([after.cast_signed(), max], |row| {
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn id(connection: &Connection) -> Result<String> {
    Ok(connection.query_row("SELECT value FROM meta WHERE key = 'id'", [], |row| row.get(0))?)
}
