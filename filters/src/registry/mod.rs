//! The registry: one list of filters from which the configuration type, its schema and its checks are made.

#[macro_use]
mod macros;
mod deps;
mod entry;
mod filter;
mod order;

pub mod erase;

pub use self::{
    deps::Deps,
    filter::{BoxService, Filter, FilterLayer, Phase, stack},
    order::{OrderError, check_order},
};
pub(crate) use self::{
    entry::{EntryVisitor, Registered, entry_schema},
    filter::AnyFilter,
};
