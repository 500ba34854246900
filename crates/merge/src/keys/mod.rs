//! What a hit is ordered by.

mod details;
mod rule;
mod value;

pub(crate) use self::{
    details::{Details, Weights},
    rule::direction,
    value::{SortValue, order_distances},
};
