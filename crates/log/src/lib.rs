//! The durable, ordered write log and task store.
//!
//! A client's write becomes an [`Entry`], whose place in the log is the uid of the client's task.
//! [`Log`] is what the rest of the program knows; [`SqliteLog`] keeps it in one directory of the
//! gateway's own. The documents of a write go to the [`Spool`] first.

mod catalog;
mod details;
mod entry;
mod error;
#[cfg(feature = "failpoints")]
pub mod failpoints;
#[cfg(not(feature = "failpoints"))]
mod failpoints;
mod log;
mod operation;
mod payload_ref;
mod record;
mod record_kind;
mod spool;
mod sqlite;
mod uids;

pub use self::{
    catalog::{Catalog, CatalogChange, IndexRecord},
    entry::{Entry, Finished, LoggedEntry, NewEntry, Once, Outcome},
    error::{LogError, Result},
    log::{Compaction, Log, Positions, StoredMap},
    operation::{Export, ExportIndex, Method, Operation, Selection},
    payload_ref::{PayloadContent, PayloadRef},
    record_kind::RecordKind,
    spool::{CheckedReader, INLINE_LIMIT, PayloadReader, Pump, Spool, SpoolError, SpoolFile},
    sqlite::{SqliteLog, SqliteOptions},
    uids::Uids,
};
