//! What strings and numbers stand for.

use std::{borrow::Cow, cmp::Ordering};

/// The characters that the inside of a string stands for. What is not well-formed becomes the replacement character.
pub(crate) fn unescape(raw: &[u8]) -> Cow<'_, str> {
    if !raw.contains(&b'\\') {
        return match std::str::from_utf8(raw) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(raw),
        };
    }
    let mut quoted = Vec::with_capacity(raw.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(raw);
    quoted.push(b'"');
    match serde_json::from_slice::<String>(&quoted) {
        Ok(text) => Cow::Owned(text),
        Err(_) => String::from_utf8_lossy(raw),
    }
}

/// The number that a value stands for.
#[inline]
pub(crate) fn number(value: &[u8]) -> Option<f64> {
    match value {
        b"1.0" => Some(1.0),
        b"0.0" => Some(0.0),
        _ => std::str::from_utf8(value).ok()?.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// Which number comes first (`Less`), as Meilisearch orders them: the negative zero is a number of its own, behind zero.
pub(crate) fn order_numbers(left: f64, right: f64) -> Ordering {
    let by_value = left.partial_cmp(&right).unwrap_or(Ordering::Equal);
    by_value.then_with(|| left.is_sign_negative().cmp(&right.is_sign_negative()))
}

/// The count that a value stands for.
#[inline]
pub(crate) fn count(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 19 {
        return None;
    }
    value.iter().try_fold(0, |count, byte| byte.is_ascii_digit().then(|| count * 10 + u64::from(byte - b'0')))
}

/// The inside of a value that is a string.
#[inline]
pub(crate) fn quoted(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// Appends a count.
pub(crate) fn push_count(out: &mut Vec<u8>, count: u64) {
    let mut digits = [0; 20];
    let mut rest = count;
    let mut len = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        len += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - len..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(unescape(br"plain"), "plain");
        assert_eq!(unescape(br#"a\"b\u00e9\n"#), "a\"b\u{e9}\n");
        assert_eq!(unescape(br"\ud800"), r"\ud800");
        assert_eq!(unescape(br"\u0061b"), "ab");
    }

    #[test]
    fn numbers_and_counts() {
        assert_eq!(number(b"0.9848484848484849"), Some(0.984_848_484_848_484_9));
        assert_eq!(number(b"1e999"), None);
        assert_eq!(number(b"null"), None);
        assert_eq!(count(b"18446744073709551615"), None);
        assert_eq!(count(b"1234567890123456789"), Some(1_234_567_890_123_456_789));
        assert_eq!(count(b"-1"), None);
    }

    #[test]
    fn the_negative_zero_comes_behind_zero() {
        let mut numbers = [0.5, -0.0, 0.0, -0.0, -1.0];
        numbers.sort_by(|left, right| order_numbers(*left, *right));
        assert_eq!(numbers.map(|number| number.to_string()), ["-1", "0", "-0", "-0", "0.5"]);
    }

    #[test]
    fn counts_are_printed() {
        for count in [0, 7, 10, 999, u64::MAX] {
            let mut out = Vec::new();
            push_count(&mut out, count);
            assert_eq!(out, count.to_string().into_bytes());
        }
    }
}
