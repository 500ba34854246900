//! Filter expressions that select documents by slot.

use crate::{
    Slot, SlotSet,
    codes::{MAX_SHARD_BITS, SLOT_FIELD, shard_code, slot_code},
};

/// The filter that matches exactly the documents of these slots: `_miroir.s IN ["…", "…"]`.
///
/// Shards of the level `code_bits`, which every document carries the code of, are named as a whole where all their
/// slots are wanted; the rest is named slot by slot. The characters of codes need no escaping inside quotes.
pub fn slots_filter(slots: &SlotSet, code_bits: u32) -> String {
    let bits = code_bits.min(MAX_SHARD_BITS);
    let per_shard = 1u16 << (MAX_SHARD_BITS - bits);
    let mut filter = format!("{SLOT_FIELD} IN [");
    let mut first = true;
    let mut name = |code: String| {
        filter.push_str(if std::mem::take(&mut first) { "\"" } else { ", \"" });
        filter.push_str(&code);
        filter.push('"');
    };
    for shard in 0..1u16 << bits {
        let members = shard * per_shard..(shard + 1) * per_shard;
        if slots.contains_all(members.clone()) {
            name(shard_code(shard, bits));
        } else if slots.contains_any(members.clone()) {
            let wanted = members.filter_map(Slot::new).filter(|slot| slots.contains(*slot));
            wanted.for_each(|slot| name(slot_code(slot)));
        }
    }
    filter.push(']');
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_shards_are_named_as_such_and_the_rest_by_slot() {
        let slots = (0..64).chain([64, 130]).filter_map(Slot::new).collect();
        assert_eq!(slots_filter(&slots, 8), r#"_miroir.s IN ["!!!!", "!!!,!!!", "!!!:!!:"]"#);
    }

    #[test]
    fn no_slot_matches_nothing() {
        assert_eq!(slots_filter(&SlotSet::new(), 8), "_miroir.s IN []");
    }

    #[test]
    fn all_slots_name_every_shard_once() {
        let all: SlotSet = Slot::all().collect();
        for bits in [0, 1, 7, 8, 14] {
            assert_eq!(slots_filter(&all, bits).matches('"').count(), 2 << bits);
        }
    }
}
