//! Finding the end of an object or array, 64 bytes at a time.
//!
//! Quotes, backslashes and brackets of a block become bit masks; what lies inside strings is masked out and only the
//! brackets that are left are looked at one by one. Nothing recurses, so depth costs nothing.

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
    let mut carry = Carry::default();
    let mut depth = 1usize;
    let (blocks, rest) = text.get(from..)?.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        if let Some(end) = close_in(block, &mut carry, &mut depth) {
            return Some(from + index * BLOCK + end);
        }
    }
    let mut last = [b' '; BLOCK];
    last.get_mut(..rest.len())?.copy_from_slice(rest);
    close_in(&last, &mut carry, &mut depth).map(|end| from + blocks.len() * BLOCK + end)
}

/// The index after the closing bracket, if it is in this block.
fn close_in(block: &[u8; BLOCK], carry: &mut Carry, depth: &mut usize) -> Option<usize> {
    let quotes = mask(block, |byte| byte == b'"') & !escaped(mask(block, |byte| byte == b'\\'), carry);
    let inside = prefix_xor(quotes) ^ carry.in_string;
    carry.in_string = if inside >> 63 == 1 { u64::MAX } else { 0 };
    // One test for all four brackets; the other bytes that pass (`Y`, `_`, `y`, DEL) are outside strings in no JSON.
    let mut brackets = mask(block, |byte| byte | 0x26 == 0x7f) & !inside;
    while brackets != 0 {
        let at = brackets.trailing_zeros() as usize;
        brackets &= brackets - 1;
        match block.get(at) {
            Some(b'{' | b'[') => *depth += 1,
            Some(b'}' | b']') if *depth == 1 => return Some(at + 1),
            Some(b'}' | b']') => *depth -= 1,
            _ => {}
        }
    }
    None
}

/// One bit per byte that passes the test, the first byte in the lowest bit.
///
/// Written so that the comparison runs on vector registers; eight bytes, each worth its own bit, are then added up into
/// one by a multiplication.
#[inline(always)]
fn mask(block: &[u8; BLOCK], test: impl Fn(u8) -> bool) -> u64 {
    let mut weights = [0u8; BLOCK];
    for (index, (weight, byte)) in weights.iter_mut().zip(block).enumerate() {
        *weight = if test(*byte) { 1 << (index % 8) } else { 0 };
    }
    let mut bits = 0;
    for (index, eight) in weights.as_chunks::<8>().0.iter().enumerate() {
        let sum = u64::from_le_bytes(*eight).wrapping_mul(0x0101_0101_0101_0101) >> 56;
        bits |= sum << (8 * index);
    }
    bits
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
