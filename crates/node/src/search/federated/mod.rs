//! Several searches whose hits become one list.
//!
//! Every query is run for as many hits as the page may need; their lists are merged by weighted scores, and only the
//! hits of the page are made into documents.

mod facets;
mod merge;
mod page;
mod queries;
mod run;

pub(super) use self::run::federated_search;
