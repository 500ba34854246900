//! Tower layers for an edge in front of Meilisearch.
