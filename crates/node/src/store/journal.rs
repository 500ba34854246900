//! The journal: how a batch that was applied to an index when the node died is told from one that was not.
//!
//! An index and the task queue live in two stores, so no transaction covers both. Before a batch is committed to its
//! index, what its tasks became is written here, with the moment of change that the index will carry once the commit
//! is through. After a crash the index's own moment of change says on which side of the commit the node died.

use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use super::catalog::CatalogChange;
use super::tasks::Outcome;
use super::{Result, Store};

/// What a batch comes to, decided but not yet recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prepared {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) changes: Vec<CatalogChange>,
}

/// The moment of change by which a commit to an index is recognised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Name of the index's directory.
    pub(crate) directory: String,
    /// The index's moment of change after the commit, in nanoseconds since 1970.
    pub(crate) updated_at: i128,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    prepared: Prepared,
    stamp: Stamp,
}

impl Store {
    /// Writes what the batch comes to, before its commit.
    pub(crate) fn write_journal(&self, prepared: &Prepared, stamp: &Stamp) -> Result<()> {
        let entry = serde_json::to_string(&Entry { prepared: prepared.clone(), stamp: stamp.clone() })?;
        self.connection.lock().execute("INSERT OR REPLACE INTO journal VALUES (0, ?1)", [entry])?;
        Ok(())
    }

    /// What was written last and neither finished nor cleared.
    pub(crate) fn journal(&self) -> Result<Option<(Prepared, Stamp)>> {
        let connection = self.connection.lock();
        let entry: Option<String> =
            connection.query_row("SELECT prepared FROM journal", [], |row| row.get(0)).optional()?;
        let Some(entry) = entry else { return Ok(None) };
        let Entry { prepared, stamp } = serde_json::from_str(&entry)?;
        Ok(Some((prepared, stamp)))
    }

    /// Forgets what was written last: the batch did not reach its index.
    pub(crate) fn clear_journal(&self) -> Result<()> {
        self.connection.lock().execute("DELETE FROM journal", [])?;
        Ok(())
    }

    /// Records the end of the batch's tasks and what they changed in the catalog, as one.
    pub(crate) fn finish(&self, prepared: &Prepared) -> Result<()> {
        let mut connection = self.connection.lock();
        let transaction = connection.transaction()?;
        for outcome in &prepared.outcomes {
            outcome.record(&transaction)?;
        }
        for change in &prepared.changes {
            change.apply(&transaction)?;
        }
        transaction.execute("DELETE FROM journal", [])?;
        transaction.commit()?;
        Ok(())
    }
}
