//! Features that are off until they are switched on.

use deserr::Deserr;
use milli_core::Filter;
use miroir_protocol::error::{Code, ResponseError};
use miroir_protocol::parse::{self, JsonRefusal};
use serde::{Deserialize, Serialize};

use crate::store::{Result, Store};

/// Where the features are kept.
const KEY: &str = "features";

macro_rules! features {
    ($($name:ident)*) => {
        /// Which features are on. Most are only remembered: the engine does not have them.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub(crate) struct Features {
            $(pub(crate) $name: bool,)*
        }

        /// Features to switch on or off.
        #[derive(Debug, Deserr)]
        #[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
        pub(crate) struct FeaturesPatch {
            $(#[deserr(default)] $name: Option<bool>,)*
        }

        impl Features {
            /// Switches what the patch names.
            pub(crate) fn apply(&mut self, patch: &FeaturesPatch) {
                $(self.$name = patch.$name.unwrap_or(self.$name);)*
            }
        }
    };
}

features! {
    metrics logs_route edit_documents_by_function contains_filter dynamic_search_rules network
    get_task_documents_route task_queue_compaction_route composite_embedders chat_completions multimodal
    foreign_keys disable_documents_fetch_queue legacy_search render_route
}

impl FeaturesPatch {
    /// Parses the body of `PATCH /experimental-features`.
    pub(crate) fn from_json(body: &[u8]) -> std::result::Result<Self, ResponseError> {
        parse::json(body)
    }
}

impl Features {
    /// The features as they were left.
    pub(crate) fn load(store: &Store) -> Result<Self> {
        let kept = store.meta(KEY)?;
        Ok(kept.as_deref().map(serde_json::from_str).transpose()?.unwrap_or_default())
    }

    /// Keeps the features.
    pub(crate) fn save(&self, store: &Store) -> Result<()> {
        store.set_meta(KEY, &serde_json::to_string(self)?)
    }

    /// Refuses editing documents while it is off.
    pub(crate) fn check_edition(&self) -> std::result::Result<(), ResponseError> {
        match self.edit_documents_by_function {
            true => Ok(()),
            false => Err(ResponseError::feature_not_enabled(
                "Using the documents edit route",
                "edit documents by function",
                "https://github.com/orgs/meilisearch/discussions/762",
            )),
        }
    }

    /// Refuses `CONTAINS` in filters while it is off. The engine counts `STARTS WITH` as the same feature; later
    /// versions of Meilisearch always allow it.
    pub(crate) fn check_filter(&self, filter: &Filter<'_>) -> std::result::Result<(), ResponseError> {
        let Some(token) = filter.use_contains_operator() else { return Ok(()) };
        if self.contains_filter || !token.value().eq_ignore_ascii_case("contains") {
            return Ok(());
        }
        let refusal = ResponseError::feature_not_enabled(
            "Using `CONTAINS` in a filter",
            "contains filter",
            "https://github.com/orgs/meilisearch/discussions/763",
        );
        let message = token.as_external_error(refusal).to_string();
        Err(ResponseError::new(Code::FeatureNotEnabled, message))
    }
}

#[cfg(test)]
mod tests {
    use super::{Features, FeaturesPatch};
    use crate::store::Store;

    #[test]
    fn switched_features_are_kept() {
        let store = Store::in_memory().expect("a store in memory opens");
        let mut features = Features::load(&store).expect("readable");
        assert_eq!(features, Features::default());
        let patch = FeaturesPatch::from_json(br#"{"containsFilter":true}"#).expect("a patch");
        features.apply(&patch);
        features.save(&store).expect("writable");
        let kept = Features::load(&store).expect("readable");
        assert!(kept.contains_filter && !kept.edit_documents_by_function);
    }

    #[test]
    fn unknown_feature_is_refused() {
        let error = FeaturesPatch::from_json(br#"{"nope":true}"#).expect_err("refused");
        assert!(error.message().starts_with("Unknown field `nope`: expected one of `metrics`, `logsRoute`,"));
    }
}
