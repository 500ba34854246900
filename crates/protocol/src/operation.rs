//! The operations of the API: one row for each, by which requests are routed and authorised.

mod matching;
mod table;

pub use self::{
    matching::{Matched, NoOperation},
    table::{Operation, Resource, Row},
};
