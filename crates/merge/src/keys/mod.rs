//! What a hit is ordered by.

mod details;
mod rule;
mod value;
mod weighted;

pub(crate) use self::{
    details::{Details, Weights},
    rule::{direction, similarity},
    value::{SortValue, order_distances},
    weighted::{Weighted, first_score},
};
