//! What is kept beside the entries: how far nodes are, the map; and letting go of what nobody needs.

use rusqlite::OptionalExtension;

use super::{apply::Staged, command::Reply, rows::DELETED};
use crate::{
    error::{LogError, Result},
    log::StoredMap,
    record_kind::RecordKind,
};

impl Staged<'_> {
    pub(super) fn advance(&self, node: &str, uid: u32, ended: Option<u32>) -> Result<Reply> {
        if uid >= self.ledger.positions.next {
            return Err(LogError::UnknownEntry(uid));
        }
        let sql = "INSERT INTO watermarks (node, uid) VALUES (?1, ?2) \
                   ON CONFLICT (node) DO UPDATE SET uid = max(uid, excluded.uid)";
        self.connection.prepare_cached(sql)?.execute((node, uid))?;
        match ended {
            Some(ended) => self.put_record(RecordKind::EndedTask, node, &ended.to_string()),
            None => Ok(Reply::Done),
        }
    }

    /// A commit that writes nothing waits for no disk.
    pub(super) fn settle(&self) -> Result<Reply> {
        self.connection.prepare_cached("UPDATE watermarks SET uid = uid")?.execute([])?;
        Ok(Reply::Done)
    }

    pub(super) fn forget_node(&self, node: &str) -> Result<Reply> {
        self.connection.prepare_cached("DELETE FROM watermarks WHERE node = ?1")?.execute([node])?;
        self.delete_record(RecordKind::EndedTask, node)?;
        Ok(Reply::Done)
    }

    pub(super) fn save_map(&mut self, map: &StoredMap) -> Result<Reply> {
        match self.ledger.map_epoch {
            Some(stored) if stored >= map.epoch => {
                return Err(LogError::StaleMap { stored, given: map.epoch });
            }
            _ => {}
        }
        let sql = "INSERT OR REPLACE INTO map (only, epoch, bytes) VALUES (0, ?1, ?2)";
        self.connection.prepare_cached(sql)?.execute((map.epoch.cast_signed(), map.bytes.as_ref()))?;
        self.ledger.map_epoch = Some(map.epoch);
        Ok(Reply::Done)
    }

    pub(super) fn put_record(&self, kind: RecordKind, id: &str, json: &str) -> Result<Reply> {
        let sql = "INSERT OR REPLACE INTO records (kind, id, value) VALUES (?1, ?2, ?3)";
        self.connection.prepare_cached(sql)?.execute((kind.name(), id, json))?;
        Ok(Reply::Done)
    }

    pub(super) fn delete_record(&self, kind: RecordKind, id: &str) -> Result<Reply> {
        let sql = "DELETE FROM records WHERE kind = ?1 AND id = ?2";
        let removed = self.connection.prepare_cached(sql)?.execute((kind.name(), id))?;
        Ok(Reply::Removed(removed > 0))
    }

    pub(super) fn trim(&mut self, below: u32) -> Result<Reply> {
        let open = "SELECT uid FROM entries WHERE finished_at IS NULL ORDER BY uid LIMIT 1";
        let open: Option<u32> =
            self.connection.prepare_cached(open)?.query_row([], |row| row.get(0)).optional()?;
        let end = below.min(open.unwrap_or(self.ledger.positions.next));
        let position = end.max(self.ledger.positions.trimmed);
        let sql = "DELETE FROM payloads WHERE uid < ?1 RETURNING file";
        let mut delete = self.connection.prepare_cached(sql)?;
        let files = delete.query_map([position], |row| row.get::<_, Option<String>>(0))?;
        let files = files.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        let sql = format!("DELETE FROM entries WHERE status = '{DELETED}' AND uid < ?1");
        self.connection.prepare_cached(&sql)?.execute([position])?;
        self.ledger.positions.trimmed = position;
        Ok(Reply::Trimmed { position, files })
    }
}
