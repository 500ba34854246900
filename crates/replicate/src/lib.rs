//! Carries the write log to the nodes.
//!
//! - The `sequencer` decides entries in order: what each does, or which error its task gets.
//! - One `applier` per node sends it what concerns it, in order, and follows the node's tasks.
//! - The `tracker` finishes tasks once enough copies have applied them.
//! - The `mover` brings shards from node to node while all this goes on; [`Rebalancer`] is how it is told to.
//! - [`Progress`] is what they know together; reads ask it which nodes are [fresh](Progress::is_fresh).

mod applier;
mod aside;
mod chores;
mod completion;
mod counts;
mod crew;
mod edition;
mod failures;
mod fleet_state;
mod head;
mod mover;
mod payloads;
mod physical;
mod position;
mod prepared;
mod progress;
mod release;
mod replication;
mod sequencer;
mod settings_check;
mod steps;
mod tag;
#[cfg(test)]
mod testing;
mod topology;
mod tracker;
mod work;

pub use self::{
    chores::{Chore, ChoreEnd},
    edition::check as check_edition,
    mover::{Change, ChangeError, Configured, Connect, Introduce, KeptNodes, NewNode, Rebalancer},
    physical::template as templates,
    progress::Progress,
    replication::Replication,
    topology::{CurrentTopology, Topology},
};
