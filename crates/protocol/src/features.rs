//! Experimental features: which are on, and turning them on and off.

use deserr::Deserr;
use serde::{Deserialize, Serialize};

use crate::{
    error::ResponseError,
    parse::{self, JsonRefusal},
};

macro_rules! features {
    ($(#[doc = $doc:literal] $field:ident,)*) => {
        /// Which experimental features are on, as `GET /experimental-features` shows them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct Features {$(
            #[doc = $doc]
            pub $field: bool,
        )*}

        /// The body of `PATCH /experimental-features`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserr)]
        #[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
        pub struct FeaturesPatch {$(
            #[doc = $doc]
            #[deserr(default)]
            pub $field: Option<bool>,
        )*}

        impl Features {
            /// Turns on and off what the patch says.
            #[must_use]
            pub fn patched(self, patch: &FeaturesPatch) -> Self {
                Self { $($field: patch.$field.unwrap_or(self.$field)),* }
            }
        }
    };
}

features! {
    #[doc = "`GET /metrics`."]
    metrics,
    #[doc = "The `/logs` routes."]
    logs_route,
    #[doc = "Editing documents by function."]
    edit_documents_by_function,
    #[doc = "`CONTAINS` and `STARTS WITH` in filters."]
    contains_filter,
    #[doc = "Rules that change searches."]
    dynamic_search_rules,
    #[doc = "The `/network` route and federated search over remotes."]
    network,
    #[doc = "Getting the documents of a waiting task."]
    get_task_documents_route,
    #[doc = "Compacting the task queue."]
    task_queue_compaction_route,
    #[doc = "Embedders of two halves."]
    composite_embedders,
    #[doc = "Chats."]
    chat_completions,
    #[doc = "Embedders with fragments."]
    multimodal,
    #[doc = "Filters over other indexes."]
    foreign_keys,
    #[doc = "Fetching documents without queueing."]
    disable_documents_fetch_queue,
    #[doc = "The search of earlier versions."]
    legacy_search,
    #[doc = "Rendering templates."]
    render_route,
}

/// A feature whose routes and parameters are refused while it is off: its name in errors, and where it is discussed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    name: &'static str,
    discussion: &'static str,
}

/// `GET /metrics`.
pub const METRICS: Feature = discussed("metrics", "https://github.com/meilisearch/product/discussions/625");
/// The `/logs` routes.
pub const LOGS_ROUTE: Feature =
    discussed("logs route", "https://github.com/orgs/meilisearch/discussions/721");
/// Editing documents by function.
pub const EDIT_DOCUMENTS: Feature =
    discussed("edit documents by function", "https://github.com/orgs/meilisearch/discussions/762");
/// `CONTAINS` in filters.
pub const CONTAINS_FILTER: Feature =
    discussed("contains filter", "https://github.com/orgs/meilisearch/discussions/763");
/// The network of remotes.
pub const NETWORK: Feature = discussed("network", "https://github.com/orgs/meilisearch/discussions/805");
/// Fitting results to a user.
pub const PERSONALIZATION: Feature =
    discussed("personalization", "https://github.com/orgs/meilisearch/discussions/866");
/// Getting the documents of a waiting task.
pub const TASK_DOCUMENTS: Feature =
    discussed("get task documents route", "https://github.com/orgs/meilisearch/discussions/808");
/// Embedders of two halves.
pub const COMPOSITE_EMBEDDERS: Feature =
    discussed("composite embedders", "https://github.com/orgs/meilisearch/discussions/816");
/// Chats.
pub const CHAT_COMPLETIONS: Feature =
    discussed("chat completions", "https://github.com/orgs/meilisearch/discussions/835");
/// Embedders with fragments.
pub const MULTIMODAL: Feature =
    discussed("multimodal", "https://github.com/orgs/meilisearch/discussions/846");
/// Filters over other indexes.
pub const FOREIGN_KEYS: Feature =
    discussed("foreign_keys", "https://github.com/orgs/meilisearch/discussions/873");
/// Compacting the task queue.
pub const TASK_COMPACTION: Feature =
    discussed("task queue compaction route", "https://github.com/orgs/meilisearch/discussions/883");
/// Rules that change searches.
pub const DYNAMIC_SEARCH_RULES: Feature =
    discussed("dynamic search rules", "https://github.com/orgs/meilisearch/discussions/884");
/// Rendering templates.
pub const RENDER_ROUTE: Feature =
    discussed("render_route", "https://github.com/orgs/meilisearch/discussions/888");

const fn discussed(name: &'static str, discussion: &'static str) -> Feature {
    Feature { name, discussion }
}

impl Feature {
    /// The error of what needs the feature while it is off, as in "Getting metrics".
    pub fn needed_for(self, doing: &str) -> ResponseError {
        ResponseError::feature_not_enabled(doing, self.name, self.discussion)
    }
}

impl FeaturesPatch {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }
}

#[cfg(test)]
mod tests {
    use super::{Features, FeaturesPatch};

    #[test]
    fn patch_changes_only_what_it_says() {
        let before = Features { network: true, metrics: true, ..Features::default() };
        let patch = FeaturesPatch::from_json(br#"{"metrics":false,"containsFilter":true}"#).expect("good");
        let after = Features { network: true, contains_filter: true, ..Features::default() };
        assert_eq!(before.patched(&patch), after);
    }
}
