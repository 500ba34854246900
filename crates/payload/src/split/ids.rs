//! Deletions by id.

use miroir_shard::Slot;

/// The ids whose slots a node is to be told of, in their order. Ids are given as texts: `1` and `"1"` are the same.
pub fn split_ids(ids: &[String], mut wants: impl FnMut(Slot) -> bool) -> impl Iterator<Item = &str> {
    ids.iter().map(String::as_str).filter(move |id| wants(Slot::of(id)))
}
