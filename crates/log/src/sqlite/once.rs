//! Writes that a client may send twice, and the list of tasks that have ended.

use rusqlite::OptionalExtension;
use time::Duration;

use super::{
    apply::Staged,
    command::Reply,
    rows::{LOGGED, logged, to_nanos},
};
use crate::{
    entry::{NewEntry, Once},
    error::{LogError, Result},
};

/// How long a key is known.
const KNOWN_FOR: Duration = Duration::hours(24);
/// How many keys are known at the most, give or take [`EVERY`].
const KNOWN: u32 = 100_000;
/// How often it is seen to that there are not more.
const EVERY: u32 = 64;

impl Staged<'_> {
    pub(super) fn append_once(&mut self, new: &NewEntry, once: &Once) -> Result<Reply> {
        self.forget_keys()?;
        // A key is known as long as its entry is there.
        let sql = "SELECT fingerprint, entries.uid FROM idempotency JOIN entries ON entries.uid = idempotency.uid \
                   WHERE key = ?1";
        let mut find = self.connection.prepare_cached(sql)?;
        let known = find.query_row([&once.key], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
        match known.optional()? {
            None => {}
            Some((fingerprint, uid)) if fingerprint == once.fingerprint => return self.repeated(uid),
            Some(_) => return Err(LogError::KeyReused),
        }
        drop(find);
        let reply = self.append(new)?;
        if let Reply::Entry(entry) = &reply {
            let sql = "INSERT OR REPLACE INTO idempotency (key, fingerprint, uid) VALUES (?1, ?2, ?3)";
            self.connection.prepare_cached(sql)?.execute((&once.key, &once.fingerprint, entry.uid))?;
        }
        Ok(reply)
    }

    fn repeated(&self, uid: u32) -> Result<Reply> {
        let sql = format!(
            "SELECT {LOGGED} FROM entries LEFT JOIN payloads ON payloads.uid = entries.uid WHERE entries.uid = ?1"
        );
        let mut find = self.connection.prepare_cached(&sql)?;
        let mut rows = find.query([uid])?;
        let row = rows.next()?.ok_or(LogError::UnknownEntry(uid))?;
        Ok(Reply::Repeated(Box::new(logged(row)?.entry)))
    }

    /// Keys are forgotten when they are old, a few at a time, and where there are too many of them.
    fn forget_keys(&self) -> Result<()> {
        let sql = "DELETE FROM idempotency WHERE uid IN (SELECT known.uid FROM \
                   (SELECT uid FROM idempotency ORDER BY uid LIMIT 8) AS known \
                   LEFT JOIN entries ON entries.uid = known.uid WHERE coalesce(entries.enqueued_at, 0) < ?1)";
        self.connection.prepare_cached(sql)?.execute([to_nanos(self.now - KNOWN_FOR)])?;
        if self.ledger.positions.next.is_multiple_of(EVERY) {
            let sql = "DELETE FROM idempotency WHERE uid < \
                       (SELECT uid FROM idempotency ORDER BY uid DESC LIMIT 1 OFFSET ?1)";
            self.connection.prepare_cached(sql)?.execute([KNOWN - 1])?;
        }
        Ok(())
    }

    pub(super) fn forget_ends(&self, place: u64) -> Result<Reply> {
        let mut delete = self.connection.prepare_cached("DELETE FROM ended WHERE place <= ?1")?;
        delete.execute([place.cast_signed()])?;
        Ok(Reply::Done)
    }

    /// Puts a task that has ended on the list, where one is kept.
    pub(super) fn note_end(&self, uid: u32) -> Result<()> {
        if self.keeps_ends {
            self.connection.prepare_cached("INSERT INTO ended (uid) VALUES (?1)")?.execute([uid])?;
        }
        Ok(())
    }
}
