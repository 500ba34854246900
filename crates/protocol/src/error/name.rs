//! Names of error codes, spelt out from the variants' names when the crate is compiled.

/// Whether a word begins at `at`: at a capital after a small letter, at either end of digits, and at the last
/// capital of several when a small letter follows.
const fn begins_word(name: &[u8], at: usize) -> bool {
    if at == 0 {
        return false;
    }
    let (before, here) = (name[at - 1], name[at]);
    if before.is_ascii_digit() != here.is_ascii_digit() {
        return true;
    }
    if !here.is_ascii_uppercase() {
        return false;
    }
    before.is_ascii_lowercase() || (at + 1 < name.len() && name[at + 1].is_ascii_lowercase())
}

/// How long `name` is in snake case.
pub(super) const fn snake_len(name: &str) -> usize {
    let name = name.as_bytes();
    let (mut at, mut length) = (0, name.len());
    while at < name.len() {
        if begins_word(name, at) {
            length += 1;
        }
        at += 1;
    }
    length
}

/// `name` in snake case; `N` is its [`snake_len`].
pub(super) const fn snake<const N: usize>(name: &str) -> [u8; N] {
    let name = name.as_bytes();
    let mut out = [0; N];
    let (mut at, mut to) = (0, 0);
    while at < name.len() {
        if begins_word(name, at) {
            out[to] = b'_';
            to += 1;
        }
        out[to] = name[at].to_ascii_lowercase();
        to += 1;
        at += 1;
    }
    out
}

/// `name` as text.
pub(super) const fn ascii(name: &[u8]) -> &str {
    match str::from_utf8(name) {
        Ok(name) => name,
        Err(_) => panic!("an error code's name is ASCII"),
    }
}

#[cfg(test)]
mod tests {
    use super::{snake, snake_len};

    #[test]
    fn words_begin_at_capitals_and_digits() {
        assert_eq!(snake_len("IndexNotFound"), 15);
        assert_eq!(&snake::<15>("IndexNotFound"), b"index_not_found");
        assert_eq!(&snake::<6>("S3Xy"), b"s_3_xy");
        assert_eq!(&snake::<10>("APIKeyNo"), b"api_key_no");
    }
}
