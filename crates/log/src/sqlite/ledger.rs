//! What the writer knows by heart.

use rusqlite::{Connection, OptionalExtension};
use time::OffsetDateTime;

use super::rows::{from_nanos, to_nanos};
use crate::{error::Result, log::Positions};

/// The counters of the log, as they are after the last commit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ledger {
    pub(super) positions: Positions,
    pub(super) next_batch: u32,
    pub(super) map_epoch: Option<u64>,
    /// When the newest entry was appended.
    pub(super) enqueued_at: OffsetDateTime,
}

// === impl Ledger ===

impl Ledger {
    pub(super) fn load(connection: &Connection) -> Result<Self> {
        let read = |key: &str| -> Result<u32> {
            let sql = "SELECT value FROM meta WHERE key = ?1";
            Ok(connection.query_row(sql, [key], |row| row.get(0))?)
        };
        let positions = Positions { next: read("next")?, head: read("head")?, trimmed: read("trimmed")? };
        let map_epoch: Option<i64> =
            connection.query_row("SELECT epoch FROM map", [], |row| row.get(0)).optional()?;
        let newest = "SELECT enqueued_at FROM entries ORDER BY uid DESC LIMIT 1";
        let newest: Option<i64> = connection.query_row(newest, [], |row| row.get(0)).optional()?;
        Ok(Self {
            positions,
            next_batch: read("next_batch")?,
            map_epoch: map_epoch.map(i64::cast_unsigned),
            enqueued_at: newest.map_or(OffsetDateTime::UNIX_EPOCH, from_nanos),
        })
    }

    /// Writes what differs from `before`.
    pub(super) fn save(&self, before: &Self, connection: &Connection) -> Result<()> {
        let mut save = connection.prepare_cached("UPDATE meta SET value = ?2 WHERE key = ?1")?;
        for (key, now, then) in [
            ("next", self.positions.next, before.positions.next),
            ("head", self.positions.head, before.positions.head),
            ("trimmed", self.positions.trimmed, before.positions.trimmed),
            ("next_batch", self.next_batch, before.next_batch),
        ] {
            if now != then {
                save.execute((key, now))?;
            }
        }
        Ok(())
    }

    /// The time for the next entry: that of the clock, unless the clock went back. Whole nanoseconds
    /// that the store can hold.
    pub(super) fn tick(&mut self, now: OffsetDateTime) -> OffsetDateTime {
        self.enqueued_at = self.enqueued_at.max(from_nanos(to_nanos(now)));
        self.enqueued_at
    }

    pub(super) fn new_batch(&mut self) -> u32 {
        let uid = self.next_batch;
        self.next_batch = uid.saturating_add(1);
        uid
    }
}
