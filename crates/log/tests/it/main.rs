//! The log as a whole: what every backend must do, and what SQLite does when things go wrong.
#![allow(clippy::unwrap_used, missing_docs)]

mod concurrency;
mod conformance;
mod crash;
mod format;
mod full;
mod kill;
mod model;
mod sqlite;
mod support;

conformance::suite!(sqlite_on_disk, crate::sqlite::OnDisk);
conformance::suite!(sqlite_in_line, crate::sqlite::InLine);
