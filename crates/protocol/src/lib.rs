//! Meilisearch's API as types: requests, answers, errors, tasks, settings. No I/O.
