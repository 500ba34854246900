//! Reading JSON where it lies: no tree, no copies, only the parts that a merge looks at.

mod block;
mod cursor;
mod path;
mod text;

pub(crate) use self::{
    cursor::{Cursor, Scan, ScanError},
    path::{below, filter_members, prune_member, push_member, visit_leaves, visit_member},
    text::{count, number, order_numbers, push_count, quoted, unescape},
};
