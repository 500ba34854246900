//! The names of the tools that Meilisearch knows.

/// Told to the client's program: what is searched for.
pub(crate) const PROGRESS: &str = "_meiliSearchProgress";
/// Told to the client's program: a message to keep in the conversation.
pub(crate) const APPEND: &str = "_meiliAppendConversationMessage";
/// Told to the client's program: what a search has found.
pub(crate) const SOURCES: &str = "_meiliSearchSources";
/// Called by the model: a search.
pub(crate) const SEARCH: &str = "_meiliSearchInIndex";
