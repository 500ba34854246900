//! How a single setting is reached, and which settings need a feature.

use std::collections::BTreeMap;

use super::{EmbedderSettings, EmbedderSource, Setting, SettingName, Settings};
use crate::{
    error::ResponseError,
    features::{self, Features},
};

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
    /// Refuses settings of features, none of which is on. Parsing does it already.
    pub fn check_features(&self) -> Result<(), ResponseError> {
        self.check_features_of(&Features::default())
    }

    /// Refuses settings of features that are off.
    pub(super) fn check_features_of(&self, on: &Features) -> Result<(), ResponseError> {
        let embedders = self.embedders.as_set().into_iter().flat_map(BTreeMap::values);
        for embedder in embedders.filter_map(Setting::as_set) {
            embedder.check_features(on)?;
        }
        if self.chat.as_set().is_some() && !on.chat_completions {
            return Err(features::CHAT_COMPLETIONS.needed_for("setting `chat` in the index settings"));
        }
        if self.foreign_keys.as_set().is_some() && !on.foreign_keys {
            return Err(features::FOREIGN_KEYS.needed_for("setting `foreignKeys` in the index settings"));
        }
        Ok(())
    }
}

impl EmbedderSettings {
    fn check_features(&self, on: &Features) -> Result<(), ResponseError> {
        let composite = [
            (self.source.as_set() == Some(&EmbedderSource::Composite), "using `\"composite\"` as source"),
            (self.search_embedder.as_set().is_some(), "setting `searchEmbedder`"),
            (self.indexing_embedder.as_set().is_some(), "setting `indexingEmbedder`"),
        ];
        let fragments = [
            (self.indexing_fragments.as_set().is_some(), "setting `indexingFragments`"),
            (self.search_fragments.as_set().is_some(), "setting `searchFragments`"),
        ];
        let used =
            |uses: &[(bool, &'static str)]| uses.iter().find(|(used, _)| *used).map(|(_, doing)| *doing);
        match (used(&composite), used(&fragments)) {
            (Some(doing), _) if !on.composite_embedders => {
                Err(features::COMPOSITE_EMBEDDERS.needed_for(doing))
            }
            (_, Some(doing)) if !on.multimodal => Err(features::MULTIMODAL.needed_for(doing)),
            _ => Ok(()),
        }
    }
}
