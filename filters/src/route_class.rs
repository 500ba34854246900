//! What kind of thing a path asks for: few enough kinds to count by.

/// A class of routes of Meilisearch's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RouteClass {
    /// Searches of one index: search, facet search, similar documents.
    Search,
    /// Searches of several indexes at once.
    MultiSearch,
    /// Documents of an index.
    Documents,
    /// Settings of an index.
    Settings,
    /// Indexes themselves, and what else is below one.
    Indexes,
    /// Tasks and batches.
    Tasks,
    /// Keys.
    Keys,
    /// Health, version, statistics and the rest of the instance.
    Instance,
    /// Everything else, known or not.
    Other,
}

// === impl RouteClass ===

impl RouteClass {
    /// The class of a path.
    pub fn of(path: &str) -> Self {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        match segments.next() {
            Some("indexes") => match segments.nth(1) {
                Some("search" | "facet-search" | "similar") => Self::Search,
                Some("documents") => Self::Documents,
                Some("settings") => Self::Settings,
                _ => Self::Indexes,
            },
            Some("multi-search") => Self::MultiSearch,
            Some("tasks" | "batches") => Self::Tasks,
            Some("keys") => Self::Keys,
            None => Self::Instance,
            Some(
                "health"
                | "version"
                | "stats"
                | "metrics"
                | "dumps"
                | "snapshots"
                | "experimental-features"
                | "network"
                | "logs",
            ) => Self::Instance,
            Some("swap-indexes") => Self::Indexes,
            Some(_) => Self::Other,
        }
    }

    /// The name of the class.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::MultiSearch => "multi_search",
            Self::Documents => "documents",
            Self::Settings => "settings",
            Self::Indexes => "indexes",
            Self::Tasks => "tasks",
            Self::Keys => "keys",
            Self::Instance => "instance",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RouteClass;

    #[test]
    fn paths_have_a_class() {
        for (path, class) in [
            ("/indexes/movies/search", "search"),
            ("/indexes/movies/facet-search", "search"),
            ("/multi-search", "multi_search"),
            ("/indexes/movies/documents/12", "documents"),
            ("/indexes/movies/settings/synonyms/", "settings"),
            ("/indexes", "indexes"),
            ("/indexes/movies", "indexes"),
            ("/indexes/search", "indexes"),
            ("/swap-indexes", "indexes"),
            ("//tasks/1", "tasks"),
            ("/batches", "tasks"),
            ("/keys/x", "keys"),
            ("/", "instance"),
            ("/health", "instance"),
            ("/wp-admin.php", "other"),
            ("*", "other"),
        ] {
            assert_eq!(RouteClass::of(path).as_str(), class, "{path}");
        }
    }
}
