//! How a single setting is reached: its route and the method that updates it.

use super::{SettingName, Settings};
use crate::error::ResponseError;

/// The method that updates one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMethod {
    /// The whole value is replaced.
    Put,
    /// Only the members that are sent change.
    Patch,
}

impl SettingName {
    /// The setting behind `/indexes/{uid}/settings/{route}`.
    pub fn from_route(route: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.route() == route)
    }

    /// The method that updates it.
    pub fn update_method(self) -> UpdateMethod {
        match self {
            Self::TypoTolerance | Self::Faceting | Self::Pagination | Self::Embedders | Self::Chat => {
                UpdateMethod::Patch
            }
            _ => UpdateMethod::Put,
        }
    }
}

impl Settings {
    /// Refuses settings whose feature is off, as long as this server offers no way to turn it on.
    pub fn check_features(&self) -> Result<(), ResponseError> {
        if self.chat.as_set().is_some() {
            return Err(ResponseError::feature_not_enabled(
                "setting `chat` in the index settings",
                "chat completions",
                "https://github.com/orgs/meilisearch/discussions/835",
            ));
        }
        if self.foreign_keys.as_set().is_some() {
            return Err(ResponseError::feature_not_enabled(
                "setting `foreignKeys` in the index settings",
                "foreign_keys",
                "https://github.com/orgs/meilisearch/discussions/873",
            ));
        }
        Ok(())
    }
}
