//! The task queue at work: one task or batch after another, in the order they came.

mod apply;
mod batch;
mod operation;
mod recovery;
#[cfg(test)]
mod testing;
mod worker;

pub(crate) use self::operation::{Method, Operation};
pub(crate) use self::worker::{Scheduler, Worker};
