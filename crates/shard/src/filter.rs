//! Filter expressions that select documents by slot.

use crate::{
    Slot, SlotSet,
    codes::{MAX_SHARD_BITS, SLOT_FIELD, shard_code, slot_code},
};

/// What a filter costs a node by which it leaves documents out, in codes of one by which it takes some.
const LEAVING_OUT: usize = 24;

/// The filter that matches exactly the documents of these slots: `_miroir.s IN ["…", "…"]`.
///
/// Shards of the level `code_bits`, which every document carries the code of, are named as a whole where all their
/// slots are wanted; the rest is named slot by slot. The characters of codes need no escaping inside quotes.
pub fn slots_filter(slots: &SlotSet, code_bits: u32) -> String {
    among(&codes(slots, code_bits))
}

/// The filter for these slots on a node that has documents of them and of the others, and of nothing else: what is cheaper for
/// it, as every code costs it time.
pub(crate) fn cheaper_filter(wanted: &SlotSet, others: &SlotSet, code_bits: u32) -> String {
    let (wanted, others) = (codes(wanted, code_bits), codes(others, code_bits));
    match others.len() + LEAVING_OUT < wanted.len() {
        true => format!("NOT {}", among(&others)),
        false => among(&wanted),
    }
}

fn among(codes: &[String]) -> String {
    let mut filter = format!("{SLOT_FIELD} IN [");
    for (place, code) in codes.iter().enumerate() {
        filter.push_str(if place == 0 { "\"" } else { ", \"" });
        filter.push_str(code);
        filter.push('"');
    }
    filter.push(']');
    filter
}

fn codes(slots: &SlotSet, code_bits: u32) -> Vec<String> {
    let bits = code_bits.min(MAX_SHARD_BITS);
    let per_shard = 1u16 << (MAX_SHARD_BITS - bits);
    let mut codes = Vec::new();
    for shard in 0..1u16 << bits {
        let members = shard * per_shard..(shard + 1) * per_shard;
        if slots.contains_all(members.clone()) {
            codes.push(shard_code(shard, bits));
        } else if slots.contains_any(members.clone()) {
            let wanted = members.filter_map(Slot::new).filter(|slot| slots.contains(*slot));
            codes.extend(wanted.map(slot_code));
        }
    }
    codes
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

    #[test]
    fn what_is_fewer_is_named() {
        let slots = |from: u16, to: u16| (from * 64..to * 64).filter_map(Slot::new).collect::<SlotSet>();
        let few = slots_filter(&slots(0, 3), 8);
        assert_eq!(cheaper_filter(&slots(3, 60), &slots(0, 3), 8), format!("NOT {few}"));
        assert_eq!(cheaper_filter(&slots(0, 3), &slots(3, 60), 8), few);
        let as_many = slots_filter(&slots(3, 20), 8);
        assert_eq!(cheaper_filter(&slots(3, 20), &slots(0, 3), 8), as_many, "leaving out has its price");
    }
}
