//! Settings: from what clients send to what the engine takes, and back.

mod apply;
mod patch;
mod rules;
mod view;

pub(crate) use self::apply::{apply_settings, set_primary_key};
pub(crate) use self::view::{DEFAULT_MAX_TOTAL_HITS, settings_view};
