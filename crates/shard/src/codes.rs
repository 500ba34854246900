//! Codes over four separator characters: text that an engine stores, filters and compares, but never indexes as words.
//!
//! A code is a number in base 4. Its digits are `!`, `,`, `:`, `;` for 0 to 3: in the order of their bytes, so that
//! codes of one width compare as text exactly like their numbers.

use crate::{
    Sequence, Slot,
    sequence::{SEQUENCE_CODE_LEN, TASK_CODE_LEN, task_code},
};

/// The member that every stored document carries and no client ever sees.
pub const INTERNAL_FIELD: &str = "_miroir";
/// The path of the codes that are filtered on.
pub const SLOT_FIELD: &str = "_miroir.s";
/// The path of the order of insertion: the place of a document's first write.
pub const SEQUENCE_FIELD: &str = "_miroir.n";
/// The finest level of shards: one slot each.
pub const MAX_SHARD_BITS: u32 = 14;

/// Whether an attribute is the internal field or a part of it: nothing that clients may name or see.
pub fn is_internal(attribute: &str) -> bool {
    attribute.strip_prefix(INTERNAL_FIELD).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

const DIGITS: [u8; 4] = *b"!,:;";
const SLOT_CODE_LEN: usize = 7;
/// Of the level with the widest code, 13 bits.
const MAX_SHARD_CODE_LEN: usize = 15;

const OPEN: &[u8] = b"\"_miroir\":{\"s\":[\"";
const BETWEEN: &[u8] = b"\",\"";
const MIDDLE: &[u8] = b"\"],\"n\":\"";
const AGAIN: &[u8] = b"\",\"w\":\"";
const CLOSE: &[u8] = b"\"}";
const FRAME_LEN: usize = OPEN.len() + BETWEEN.len() + MIDDLE.len() + CLOSE.len();
const AGAIN_LEN: usize = AGAIN.len() + TASK_CODE_LEN;
const CAPACITY: usize = FRAME_LEN + MAX_SHARD_CODE_LEN + SLOT_CODE_LEN + SEQUENCE_CODE_LEN + AGAIN_LEN;

/// The internal member of one document, as JSON text without a comma on either side.
#[derive(Clone, Copy)]
pub struct InternalField {
    bytes: [u8; CAPACITY],
    len: usize,
}

/// Writes the internal member `"_miroir":{"s":["<shard>","<slot>"],"n":"<first>"}`, with `"w":"<again>"` in it where the
/// document is there already and `again` is the uid of the write that writes it again.
///
/// `shard_bits` is the level of the shard code ([`ShardMap::code_bits`](crate::ShardMap::code_bits)), at most
/// [`MAX_SHARD_BITS`]. All members of one level have the same length, [`internal_field_len`], but for those of documents
/// that are written again.
pub fn internal_field(slot: Slot, shard_bits: u32, first: Sequence, again: Option<u32>) -> InternalField {
    let mut field = InternalField { bytes: [0; CAPACITY], len: 0 };
    let bits = shard_bits.min(MAX_SHARD_BITS);
    field.push(OPEN);
    encode(u64::from(shard_of(slot, bits)), field.grow(shard_code_len(bits)));
    field.push(BETWEEN);
    encode(u64::from(slot.index()), field.grow(SLOT_CODE_LEN));
    field.push(MIDDLE);
    field.push(&first.code());
    if let Some(task) = again {
        field.push(AGAIN);
        field.push(&task_code(task));
    }
    field.push(CLOSE);
    field
}

/// The length of every internal member whose shard code has this level, as a document has it that is written first.
pub const fn internal_field_len(shard_bits: u32) -> usize {
    let bits = if shard_bits > MAX_SHARD_BITS { MAX_SHARD_BITS } else { shard_bits };
    FRAME_LEN + shard_code_len(bits) + SLOT_CODE_LEN + SEQUENCE_CODE_LEN
}

/// The code of one slot: 7 characters.
pub fn slot_code(slot: Slot) -> String {
    text(u64::from(slot.index()), SLOT_CODE_LEN)
}

/// The code of a shard of the level `shard_bits`: no two levels share a length (but for the level of 14 bits, whose
/// shards are the slots), so a filter on one level never meets another.
pub fn shard_code(shard: u16, shard_bits: u32) -> String {
    text(u64::from(shard), shard_code_len(shard_bits.min(MAX_SHARD_BITS)))
}

/// The shard of the level `bits` that a slot belongs to: its top bits.
pub(crate) fn shard_of(slot: Slot, bits: u32) -> u16 {
    slot.index() >> (MAX_SHARD_BITS - bits)
}

/// Two bits a character make 1 to 7 characters for the even levels; odd levels and the level of 0 bits are filled up to
/// widths that these never have.
const fn shard_code_len(bits: u32) -> usize {
    let digits = bits.div_ceil(2) as usize;
    if bits > 0 && bits.is_multiple_of(2) { digits } else { 8 + digits }
}

fn text(value: u64, len: usize) -> String {
    let mut code = vec![0; len];
    encode(value, &mut code);
    code.into_iter().map(char::from).collect()
}

/// Fills `code` with the digits of `value`, most significant first.
pub(crate) fn encode(mut value: u64, code: &mut [u8]) {
    for digit in code.iter_mut().rev() {
        *digit = DIGITS[(value & 3) as usize];
        value >>= 2;
    }
}

/// The number that up to 32 digits stand for.
pub(crate) fn decode(code: &[u8]) -> Option<u64> {
    code.iter().try_fold(0, |value: u64, byte| {
        let digit = DIGITS.iter().position(|digit| digit == byte)?;
        Some(value << 2 | digit as u64)
    })
}

// === impl InternalField ===

impl InternalField {
    /// The member's text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn grow(&mut self, len: usize) -> &mut [u8] {
        let start = self.len;
        self.len += len;
        &mut self.bytes[start..self.len]
    }

    fn push(&mut self, bytes: &[u8]) {
        self.grow(bytes.len()).copy_from_slice(bytes);
    }
}

impl std::fmt::Debug for InternalField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn slot(index: u16) -> Slot {
        Slot::new(index).expect("a slot")
    }

    #[test]
    fn the_member_reads_as_documented() {
        let of =
            |again| internal_field(slot(0b10_01_11_00_01_10_11), 8, Sequence { task: 1, ordinal: 2 }, again);
        assert_eq!(
            String::from_utf8_lossy(of(None).as_bytes()),
            r#""_miroir":{"s":[":,;!",":,;!,:;"],"n":"!!!!!!!!!!!!!!!,!!!!!!!!!!!!!!!:"}"#
        );
        assert_eq!(
            String::from_utf8_lossy(of(Some(3)).as_bytes()),
            r#""_miroir":{"s":[":,;!",":,;!,:;"],"n":"!!!!!!!!!!!!!!!,!!!!!!!!!!!!!!!:","w":"!!!!!!!!!!!!!!!;"}"#
        );
    }

    #[test]
    fn the_length_depends_on_the_level_only() {
        for bits in 0..=MAX_SHARD_BITS {
            for index in [0, 1, 4095, 16_383] {
                for sequence in
                    [Sequence { task: 0, ordinal: 0 }, Sequence { task: u32::MAX, ordinal: u32::MAX }]
                {
                    let field = internal_field(slot(index), bits, sequence, None);
                    assert_eq!(field.as_bytes().len(), internal_field_len(bits));
                    let json = format!("{{{field:?}}}");
                    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
                    assert_eq!(value["_miroir"]["s"][0], shard_code(shard_of(slot(index), bits), bits));
                    assert_eq!(value["_miroir"]["s"][1], slot_code(slot(index)));
                }
            }
        }
    }

    #[test]
    fn no_code_of_one_level_is_a_code_of_another() {
        let mut seen = HashSet::new();
        for bits in 0..MAX_SHARD_BITS {
            for shard in 0..1u16 << bits {
                assert!(seen.insert(shard_code(shard, bits)), "{shard} of {bits} bits");
            }
        }
        assert!(Slot::all().all(|slot| seen.insert(slot_code(slot))));
        assert!(seen.iter().all(|code| !code.is_empty()));
    }

    #[test]
    fn a_slot_is_its_own_shard_at_the_finest_level() {
        assert_eq!(shard_code(12_345, MAX_SHARD_BITS), slot_code(slot(12_345)));
    }

    #[test]
    fn the_internal_field_and_its_parts_are_internal() {
        assert!(is_internal("_miroir") && is_internal("_miroir.s") && is_internal("_miroir.x.y"));
        assert!(!is_internal("_miroirs") && !is_internal("a._miroir") && !is_internal(""));
    }

    #[test]
    fn digits_are_in_byte_order() {
        assert!(DIGITS.is_sorted());
        assert_eq!(decode(b"!,:;"), Some(0b00_01_10_11));
        assert_eq!(decode(b"!,x;"), None);
    }
}
