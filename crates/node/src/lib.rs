//! An embedded Meilisearch-compatible node on Meilisearch's own engine, for development and tests.
