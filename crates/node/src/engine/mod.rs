//! The engine at work: indexes that are open, and what a task does to one of them.

mod deletion;
mod documents;
mod edition;
mod embedders;
mod existing;
mod indexes;
mod languages;
mod limits;
mod payload_map;
mod settings;

pub(crate) use self::deletion::{Deletion, clear_documents, delete_documents};
pub(crate) use self::documents::{Addition, add_documents};
pub(crate) use self::edition::{Edition, edit_documents};
pub(crate) use self::embedders::embedders_of;
pub(crate) use self::existing::keep_existing;
pub(crate) use self::indexes::{Indexes, OpenIndex};
pub(crate) use self::languages::languages_of;
pub(crate) use self::limits::Limits;
pub(crate) use self::settings::{DEFAULT_MAX_TOTAL_HITS, apply_settings, set_primary_key, settings_view};
