//! The fixed parts of the hash space.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

/// How many slots there are. It is part of what is stored in every document, so it can never change.
pub const SLOTS: u16 = 16_384;

/// One of the [`SLOTS`] parts of the hash space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u16);

/// A set of slots, of fixed size.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotSet {
    words: Box<[u64; WORDS]>,
}

const WORDS: usize = SLOTS as usize / 64;

// === impl Slot ===

impl Slot {
    /// The slot of a document id, given as its text (`1` and `"1"` are the same id): the low 14 bits of the
    /// text's XXH3-64 with seed 0.
    pub fn of(id_text: &str) -> Self {
        Self((xxh3_64(id_text.as_bytes()) % u64::from(SLOTS)) as u16)
    }

    /// The slot with this number, if there is one.
    pub fn new(index: u16) -> Option<Self> {
        (index < SLOTS).then_some(Self(index))
    }

    /// The slot's number, below [`SLOTS`].
    pub fn index(self) -> u16 {
        self.0
    }

    /// All slots in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }
}

/// The words that numbers of slots are in, each with their bits.
fn masks(numbers: Range<u16>) -> impl Iterator<Item = (usize, u64)> {
    let (start, end) = (usize::from(numbers.start), usize::from(numbers.end.min(SLOTS)));
    (start / 64..end.div_ceil(64)).filter_map(move |word| {
        let (low, high) = (start.max(word * 64) - word * 64, end.min(word * 64 + 64) - word * 64);
        (low < high).then(|| (word, (u64::MAX >> (64 - (high - low))) << low))
    })
}

// === impl SlotSet ===

impl SlotSet {
    /// The empty set.
    pub fn new() -> Self {
        Self { words: Box::new([0; WORDS]) }
    }

    /// Adds a slot.
    pub fn insert(&mut self, slot: Slot) {
        self.words[usize::from(slot.0) / 64] |= 1 << (slot.0 % 64);
    }

    /// Removes a slot.
    pub fn remove(&mut self, slot: Slot) {
        self.words[usize::from(slot.0) / 64] &= !(1 << (slot.0 % 64));
    }

    /// Whether the slot is in the set.
    pub fn contains(&self, slot: Slot) -> bool {
        self.words[usize::from(slot.0) / 64] & (1 << (slot.0 % 64)) != 0
    }

    /// Adds all slots with these numbers.
    pub(crate) fn insert_all(&mut self, numbers: Range<u16>) {
        masks(numbers).for_each(|(word, mask)| self.words[word] |= mask);
    }

    /// Whether all slots with these numbers are in the set.
    pub(crate) fn contains_all(&self, numbers: Range<u16>) -> bool {
        masks(numbers).all(|(word, mask)| self.words[word] & mask == mask)
    }

    /// Whether some slot with one of these numbers is in the set.
    pub(crate) fn contains_any(&self, numbers: Range<u16>) -> bool {
        masks(numbers).any(|(word, mask)| self.words[word] & mask != 0)
    }

    /// How many slots are in the set.
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether no slot is in the set.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// The slots of the set in order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        Slot::all().filter(|slot| self.contains(*slot))
    }
}

impl Default for SlotSet {
    fn default() -> Self {
        Self::new()
    }
}

impl Extend<Slot> for SlotSet {
    fn extend<T: IntoIterator<Item = Slot>>(&mut self, slots: T) {
        slots.into_iter().for_each(|slot| self.insert(slot));
    }
}

impl FromIterator<Slot> for SlotSet {
    fn from_iter<T: IntoIterator<Item = Slot>>(slots: T) -> Self {
        let mut set = Self::new();
        set.extend(slots);
        set
    }
}

impl std::fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter().map(Slot::index)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These values are in every stored document. If this test fails, the change loses documents.
    #[test]
    fn slots_of_known_ids_never_change() {
        let golden = [
            ("", 5314),
            ("0", 4181),
            ("1", 12632),
            ("2", 8980),
            ("42", 8593),
            ("900001", 7382),
            ("18446744073709551615", 13175),
            ("-1", 8735),
            ("a-1", 14240),
            ("tt0111161", 16372),
            ("5f3759df-8a1b-4c6e-9d2f-0123456789ab", 15079),
        ];
        let found: Vec<_> = golden.iter().map(|(id, _)| (*id, Slot::of(id).index())).collect();
        assert_eq!(found, golden);
    }

    #[test]
    fn ids_spread_evenly_over_slots() {
        let mut counts = vec![0u32; usize::from(SLOTS) / 64];
        for id in 0..256_000 {
            counts[usize::from(Slot::of(&id.to_string()).index()) / 64] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let slots = [0, 63, 64, 16_383].map(|index| Slot::new(index).expect("a slot"));
        let mut set: SlotSet = slots.into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), slots);
        set.remove(slots[1]);
        assert_eq!((set.len(), set.contains(slots[1]), set.is_empty()), (3, false, false));
        assert_eq!(Slot::new(SLOTS), None);
    }
}
