//! Searches: from the parameters of a request to the answer.

mod crop;
mod facets;
mod filter;
mod format;
mod geo;
mod hits;
mod kind;
mod pointer;
mod run;

pub(crate) use self::filter::parse_filter;
pub(crate) use self::hits::vectors_of;
pub(crate) use self::pointer::select_values;
pub(crate) use self::run::{parse_sort, search};
