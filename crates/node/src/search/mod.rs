//! Searches: from the parameters of a request to the answer.

mod crop;
mod facet_search;
mod facets;
mod federated;
mod filter;
mod format;
mod geo;
mod hits;
mod kind;
mod multi;
mod pointer;
mod prepare;
mod run;
mod score;
mod similar;

pub(crate) use self::facet_search::facet_search;
pub(crate) use self::filter::parse_filter;
pub(crate) use self::hits::vectors_of;
pub(crate) use self::multi::multi_search;
pub(crate) use self::pointer::select_values;
pub(crate) use self::prepare::parse_sort;
pub(crate) use self::run::search;
pub(crate) use self::similar::similar;
