//! What a key allows.

use deserr::Deserr;
use serde::{Deserialize, Serialize};

macro_rules! actions {
    ($($action:ident $name:literal,)*) => {
        /// What a key allows.
        #[allow(missing_docs)] // the names say it
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserr, Serialize, Deserialize)]
        pub enum Action {$(
            #[deserr(rename = $name)]
            #[serde(rename = $name)]
            $action,
        )*}

        impl Action {
            /// The name clients see, as in `documents.add`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name),* }
            }
        }
    };
}

actions! {
    All "*",
    Search "search",
    DocumentsAll "documents.*",
    DocumentsAdd "documents.add",
    DocumentsGet "documents.get",
    DocumentsDelete "documents.delete",
    IndexesAll "indexes.*",
    IndexesCreate "indexes.create",
    IndexesGet "indexes.get",
    IndexesUpdate "indexes.update",
    IndexesDelete "indexes.delete",
    IndexesSwap "indexes.swap",
    TasksAll "tasks.*",
    TasksCancel "tasks.cancel",
    TasksDelete "tasks.delete",
    TasksGet "tasks.get",
    SettingsAll "settings.*",
    SettingsGet "settings.get",
    SettingsUpdate "settings.update",
    StatsAll "stats.*",
    StatsGet "stats.get",
    MetricsAll "metrics.*",
    MetricsGet "metrics.get",
    DumpsAll "dumps.*",
    DumpsCreate "dumps.create",
    SnapshotsAll "snapshots.*",
    SnapshotsCreate "snapshots.create",
    Version "version",
    KeysCreate "keys.create",
    KeysGet "keys.get",
    KeysUpdate "keys.update",
    KeysDelete "keys.delete",
    ExperimentalFeaturesGet "experimental.get",
    ExperimentalFeaturesUpdate "experimental.update",
    Export "export",
    NetworkGet "network.get",
    NetworkUpdate "network.update",
    ChatCompletions "chatCompletions",
    ChatsAll "chats.*",
    ChatsGet "chats.get",
    ChatsDelete "chats.delete",
    ChatsSettingsAll "chatsSettings.*",
    ChatsSettingsGet "chatsSettings.get",
    ChatsSettingsUpdate "chatsSettings.update",
    AllGet "*.get",
    WebhooksGet "webhooks.get",
    WebhooksUpdate "webhooks.update",
    WebhooksDelete "webhooks.delete",
    WebhooksCreate "webhooks.create",
    WebhooksAll "webhooks.*",
    IndexesCompact "indexes.compact",
    FieldsPost "fields.post",
    TasksCompact "tasks.compact",
    DynamicSearchRulesGet "dynamicSearchRules.get",
    DynamicSearchRulesCreate "dynamicSearchRules.create",
    DynamicSearchRulesUpdate "dynamicSearchRules.update",
    DynamicSearchRulesDelete "dynamicSearchRules.delete",
    DynamicSearchRulesAll "dynamicSearchRules.*",
}

/// What has no part that belongs to one index, by the beginning of the action's name.
const GLOBAL: [&str; 13] = [
    "metrics.",
    "dumps.",
    "snapshots.",
    "version",
    "keys.",
    "experimental.",
    "export",
    "network.",
    "chats.",
    "chatsSettings.",
    "webhooks.",
    "dynamicSearchRules.",
    "tasks.compact",
];

impl Action {
    /// Whether a key for some indexes only cannot have it.
    pub fn is_global(self) -> bool {
        GLOBAL.iter().any(|things| self.name().starts_with(things))
    }

    /// Whether a key with this action allows `wanted`: the action itself, `*`, all actions on the same things
    /// (`documents.*`), or all that only read (`*.get`).
    pub fn allows(self, wanted: Self) -> bool {
        match self {
            Self::All => wanted != Self::AllGet,
            Self::AllGet => wanted.only_reads(),
            // Editing documents by a function needs `documents.*` as a whole, which is not one of its own parts.
            _ => match self.name().strip_suffix('*') {
                Some(things) => wanted != self && wanted.name().starts_with(things),
                None => self == wanted,
            },
        }
    }

    /// Whether what it allows can be about several indexes, of which each is checked on its own.
    pub fn is_checked_by_index(self) -> bool {
        matches!(
            self,
            Self::Search
                | Self::DocumentsGet
                | Self::IndexesCreate
                | Self::IndexesGet
                | Self::IndexesSwap
                | Self::TasksCancel
                | Self::TasksDelete
                | Self::TasksGet
                | Self::SettingsGet
                | Self::StatsAll
                | Self::StatsGet
                | Self::ChatCompletions
        )
    }

    /// Whether it changes nothing. Reading keys does not count, as whoever has a key can do what it allows.
    fn only_reads(self) -> bool {
        match self {
            Self::KeysGet => false,
            Self::Search | Self::Export | Self::Version | Self::FieldsPost => true,
            other => other.name().ends_with(".get"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn stars_allow_all_of_their_kind() {
        assert!(Action::All.allows(Action::Search));
        assert!(Action::DocumentsAll.allows(Action::DocumentsAdd));
        assert!(!Action::DocumentsAll.allows(Action::IndexesGet));
        assert!(
            Action::All.allows(Action::DocumentsAll) && !Action::DocumentsAll.allows(Action::DocumentsAll)
        );
        assert!(
            Action::ChatsAll.allows(Action::ChatsGet) && !Action::ChatsAll.allows(Action::ChatsSettingsGet)
        );
        assert!(Action::Search.allows(Action::Search) && !Action::Search.allows(Action::DocumentsGet));
    }

    #[test]
    fn reading_all_does_not_read_keys() {
        assert!(Action::AllGet.allows(Action::StatsGet));
        assert!(!Action::AllGet.allows(Action::KeysGet) && !Action::AllGet.allows(Action::DocumentsAdd));
    }
}
