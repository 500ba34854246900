//! Answers that are given more than once: what `cache` and `coalesce` have in common.

mod kept;
mod key;

pub(crate) use self::{
    kept::{KeptAnswer, with_body},
    key::SearchKey,
};
