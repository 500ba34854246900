//! Answers that are given more than once: what `cache` and `coalesce` have in common.

mod kept;
mod key;
mod search;

pub(crate) use self::{kept::KeptAnswer, key::SearchKey, search::Search};
