//! Finding the end of an object or array, or a name in it, 64 bytes at a time.
//!
//! Quotes, backslashes and brackets of a block become bit masks; what lies inside strings is masked out and only the
//! brackets that are left are looked at one by one. Nothing recurses, so depth costs nothing.

use wide::u8x16;

/// How many bytes one comparison looks at.
pub(super) const LANES: usize = 16;
const BLOCK: usize = 64;
const EVEN: u64 = 0x5555_5555_5555_5555;

/// What one block leaves for the next.
#[derive(Default)]
struct Carry {
    /// All ones while inside a string.
    in_string: u64,
    /// 1 when the next block's first byte is escaped.
    escaped: u64,
}

/// The index after the bracket that closes the container whose content starts at `from`, or `None` if it never does.
pub(super) fn container_end(text: &[u8], from: usize) -> Option<usize> {
    stop(text, from, |_, _| 0).map(|at| at + 1)
}

/// The index of the bracket that closes the container in which `from` is, or of the quote of an earlier string that is in
/// nothing else within it: of any that begins with `_`, and of some that do not.
pub(super) fn underscore_or_end(text: &[u8], from: usize) -> Option<usize> {
    // What follows a block's last byte is not looked at: it counts as an underscore.
    let follows = |block: &_| mask(block, |bytes| bytes.simd_eq(u8x16::splat(b'_'))) >> 1 | 1 << (BLOCK - 1);
    stop(text, from, |block, quotes| quotes & follows(block))
}

/// The index of the bracket that closes the container in which `from` is, or of the first of the quotes that `marks` leaves
/// of those that begin a string, and that is in nothing else within the container.
#[inline(always)]
fn stop(text: &[u8], from: usize, marks: impl Fn(&[u8; BLOCK], u64) -> u64) -> Option<usize> {
    let mut carry = Carry::default();
    let mut depth = 1usize;
    let (blocks, rest) = text.get(from..)?.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        if let Some(at) = stop_in(block, &marks, &mut carry, &mut depth) {
            return Some(from + index * BLOCK + at);
        }
    }
    let mut last = [b' '; BLOCK];
    last.get_mut(..rest.len())?.copy_from_slice(rest);
    stop_in(&last, &marks, &mut carry, &mut depth).map(|at| from + blocks.len() * BLOCK + at)
}

/// The same in one block.
#[inline(always)]
fn stop_in(
    block: &[u8; BLOCK],
    marks: impl Fn(&[u8; BLOCK], u64) -> u64,
    carry: &mut Carry,
    depth: &mut usize,
) -> Option<usize> {
    let backslashes = mask(block, |bytes| bytes.simd_eq(u8x16::splat(b'\\')));
    let quotes = mask(block, |bytes| bytes.simd_eq(u8x16::splat(b'"'))) & !escaped(backslashes, carry);
    let inside = prefix_xor(quotes) ^ carry.in_string;
    carry.in_string = if inside >> 63 == 1 { u64::MAX } else { 0 };
    // One test for all four brackets; the other bytes that pass (`Y`, `_`, `y`, DEL) are outside strings in no JSON.
    let brackets = mask(block, |bytes| (bytes | u8x16::splat(0x26)).simd_eq(u8x16::splat(0x7f))) & !inside;
    let mut stops = brackets | marks(block, quotes & inside);
    while stops != 0 {
        let at = stops.trailing_zeros() as usize;
        stops &= stops - 1;
        match block.get(at) {
            Some(b'{' | b'[') => *depth += 1,
            Some(b'}' | b']' | b'"') if *depth == 1 => return Some(at),
            Some(b'}' | b']') => *depth -= 1,
            _ => {}
        }
    }
    None
}

/// One bit per byte that passes the test, the first byte in the lowest bit.
#[inline(always)]
fn mask(block: &[u8; BLOCK], test: impl Fn(u8x16) -> u8x16) -> u64 {
    let lanes = block.as_chunks().0.iter().map(|bytes| test(u8x16::new(*bytes)).to_bitmask());
    lanes.rev().fold(0, |bits, lanes| bits << LANES | u64::from(lanes))
}

/// The bytes that follow an odd run of backslashes.
#[inline(always)]
fn escaped(backslashes: u64, carry: &mut Carry) -> u64 {
    if backslashes == 0 {
        return std::mem::take(&mut carry.escaped);
    }
    let backslashes = backslashes & !carry.escaped;
    let follows = backslashes << 1 | carry.escaped;
    let odd_starts = backslashes & !EVEN & !follows;
    let (even_sequences, overflow) = odd_starts.overflowing_add(backslashes);
    carry.escaped = u64::from(overflow);
    (EVEN ^ (even_sequences << 1)) & follows
}

/// Each bit becomes the parity of all bits up to it.
#[inline(always)]
fn prefix_xor(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, one byte at a time.
    fn plain(text: &[u8]) -> Option<usize> {
        let (mut depth, mut in_string, mut escaped) = (1, false, false);
        for (index, byte) in text.iter().enumerate() {
            if in_string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(index + 1);
            }
        }
        None
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        assert_eq!(container_end(br#""]}\"]",1]tail"#, 0), Some(10));
    }

    #[test]
    fn an_open_end_is_none() {
        assert_eq!(container_end(b"[[]", 0), None);
        assert_eq!(container_end(b"", 0), None);
        assert_eq!(container_end(b"]", 7), None);
    }

    #[test]
    fn depth_has_no_limit() {
        let mut text = vec![b'['; 1 << 20];
        text.extend(vec![b']'; (1 << 20) + 1]);
        assert_eq!(container_end(&text, 0), Some(text.len()));
    }

    proptest! {
        #[test]
        fn blocks_find_what_bytes_find(text in proptest::collection::vec(
            proptest::sample::select(br#""\\\{[]}a,:"#.to_vec()), 0..400)) {
            // A backslash outside a string is no JSON: let both readings start inside one.
            let inside = text.iter().position(|byte| *byte == b'"');
            let clean: Vec<u8> = text[..inside.unwrap_or(text.len())].iter().filter(|b| **b != b'\\')
                .chain(&text[inside.unwrap_or(text.len())..]).copied().collect();
            if let (Some(expected), false) = (plain(&clean), backslash_outside(&clean)) {
                prop_assert_eq!(container_end(&clean, 0), Some(expected));
            }
        }
    }

    fn backslash_outside(text: &[u8]) -> bool {
        let (mut in_string, mut escaped) = (false, false);
        for byte in text {
            match byte {
                b'\\' if !in_string => return true,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = !in_string,
                _ => {}
            }
        }
        false
    }
}
