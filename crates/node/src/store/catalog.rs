//! The catalog: which indexes there are and where their data lives.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Result, Store};

/// An index as the catalog knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IndexRecord {
    pub(crate) uid: String,
    /// Name of the index's directory.
    pub(crate) directory: String,
    /// The task that created it.
    pub(crate) created_by: u32,
    /// Settings that the engine does not know and that are only given back.
    pub(crate) extras: Map<String, Value>,
}

/// A change of the catalog that takes effect together with the tasks that asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "camelCase")]
pub(crate) enum CatalogChange {
    /// The index is gone.
    Delete { uid: String },
    /// The index has another name, and so have the tasks that came before this one.
    Rename { from: String, to: String, task: u32 },
    /// Two indexes have each other's names, and so have the tasks that came before this one.
    Swap { left: String, right: String, task: u32 },
    /// The settings that are only given back.
    Extras { uid: String, extras: Map<String, Value> },
}

impl CatalogChange {
    /// Applies the change within the caller's transaction.
    pub(super) fn apply(&self, connection: &Connection) -> Result<()> {
        match self {
            Self::Delete { uid } => {
                connection.execute("DELETE FROM indexes WHERE uid = ?1", [uid])?;
            }
            Self::Rename { from, to, task } => rename(connection, from, to, *task)?,
            Self::Swap { left, right, task } => {
                // No index can have this name while the first one passes through it.
                let between = "";
                for (from, to) in [(left.as_str(), between), (right.as_str(), left), (between, right)] {
                    rename(connection, from, to, *task)?;
                }
            }
            Self::Extras { uid, extras } => {
                let extras = serde_json::to_string(extras)?;
                connection
                    .execute("UPDATE indexes SET extras = ?2 WHERE uid = ?1", [uid.as_str(), &extras])?;
            }
        }
        Ok(())
    }
}

impl Store {
    /// Adds an index to the catalog.
    pub(crate) fn add_index(&self, record: &IndexRecord) -> Result<()> {
        self.connection.lock().execute(
            "INSERT INTO indexes (uid, directory, created_by, extras) VALUES (?1, ?2, ?3, ?4)",
            params![record.uid, record.directory, record.created_by, serde_json::to_string(&record.extras)?],
        )?;
        Ok(())
    }

    /// The record of one index.
    pub(crate) fn index(&self, uid: &str) -> Result<Option<IndexRecord>> {
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached("SELECT * FROM indexes WHERE uid = ?1")?;
        let found = statement.query_row([uid], |row| Ok(record(row))).optional()?;
        found.transpose()
    }

    /// Every index, by name.
    pub(crate) fn indexes(&self) -> Result<Vec<IndexRecord>> {
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached("SELECT * FROM indexes ORDER BY uid")?;
        let rows = statement.query_map([], |row| Ok(record(row)))?;
        rows.map(|row| row?).collect()
    }
}

fn rename(connection: &Connection, from: &str, to: &str, before_task: u32) -> Result<()> {
    connection.execute("UPDATE indexes SET uid = ?2 WHERE uid = ?1", [from, to])?;
    connection.execute(
        "UPDATE tasks SET index_uid = ?2 WHERE index_uid = ?1 AND uid < ?3",
        params![from, to, before_task],
    )?;
    Ok(())
}

fn record(row: &Row<'_>) -> Result<IndexRecord> {
    let extras: String = row.get("extras")?;
    Ok(IndexRecord {
        uid: row.get("uid")?,
        directory: row.get("directory")?,
        created_by: row.get("created_by")?,
        extras: serde_json::from_str(&extras)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{CatalogChange, IndexRecord};
    use crate::store::Store;

    fn store_with(names: &[&str]) -> Store {
        let store = Store::in_memory().expect("a store in memory opens");
        for name in names {
            let record = IndexRecord {
                uid: (*name).to_owned(),
                directory: format!("data of {name}"),
                created_by: 0,
                extras: Default::default(),
            };
            store.add_index(&record).expect("an index is added");
        }
        store
    }

    #[test]
    fn swapped_indexes_exchange_their_data() {
        let store = store_with(&["left", "right"]);
        let swap = CatalogChange::Swap { left: "left".to_owned(), right: "right".to_owned(), task: 0 };
        swap.apply(&store.connection.lock()).expect("the swap applies");
        let left = store.index("left").expect("readable").expect("there");
        assert_eq!(left.directory, "data of right");
        assert_eq!(store.indexes().expect("readable").len(), 2);
    }

    #[test]
    fn renamed_index_leaves_its_old_name_free() {
        let store = store_with(&["old"]);
        let rename = CatalogChange::Rename { from: "old".to_owned(), to: "new".to_owned(), task: 0 };
        rename.apply(&store.connection.lock()).expect("the rename applies");
        assert_eq!(store.index("old").expect("readable"), None);
        assert_eq!(store.index("new").expect("readable").expect("there").directory, "data of old");
    }
}
