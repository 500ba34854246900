//! Slots, placement, the shard map and rebalance plans. Pure.
//!
//! A document's [`Slot`] follows from its id and never changes. A shard is a run of slots; the [`ShardMap`] says
//! which nodes of which group hold it. Nothing in this crate does I/O or reads a clock.

mod codes;
mod filter;
mod layout;
mod map;
mod placement;
mod plan;
mod rebalance;
mod search;
mod sequence;
mod slot;
mod stored;

pub use self::{
    codes::{
        INTERNAL_FIELD, InternalField, MAX_SHARD_BITS, SEQUENCE_FIELD, SLOT_FIELD, internal_field,
        internal_field_len, is_internal, shard_code, slot_code,
    },
    filter::slots_filter,
    layout::{GroupLayout, Layout, LayoutError, NodeLayout},
    map::{Group, Node, NodeId, Owner, OwnerState, ShardId, ShardMap},
    plan::{Move, diff},
    search::{Ask, SearchPlan},
    sequence::{SEQUENCE_CODE_LEN, Sequence, task_of_code},
    slot::{SLOTS, Slot, SlotSet},
    stored::StoredMapError,
};
