//! The forms of facet values that Meilisearch groups and orders by.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Where Meilisearch cuts the normalised form, so that it fits a key of its store.
const MAX_LEN: usize = 468;

/// Strings are grouped and ordered without the white space around them, decomposed (NFKD) and in lower case.
pub(crate) fn normalize(text: Cow<'_, str>) -> Cow<'_, str> {
    // No early exit, so that whole registers are looked at: most values are normal as they are.
    let is_normal = text.bytes().fold(true, |normal, byte| {
        normal & byte.is_ascii() & !byte.is_ascii_uppercase() & !byte.is_ascii_control()
    });
    let is_trimmed = !text.starts_with(' ') && !text.ends_with(' ');
    if is_normal && is_trimmed && text.len() <= MAX_LEN {
        return text;
    }
    let text = text.trim();
    let mut text = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.nfkd().collect::<String>().to_lowercase()
    };
    text.truncate(text.floor_char_boundary(MAX_LEN));
    Cow::Owned(text)
}

/// What a facet query is compared with: the [normal](normalize) form without accents, and with the letters and quotation
/// marks that Meilisearch takes for others.
pub(crate) fn fold(normal: Cow<'_, str>) -> Cow<'_, str> {
    if normal.is_ascii() {
        return normal;
    }
    let mut folded = String::with_capacity(normal.len());
    for letter in normal.chars().filter(|letter| !is_combining_mark(*letter)) {
        match letter {
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'đ' => folded.push('d'),
            '‘' | '’' => folded.push('\''),
            _ => folded.push(letter),
        }
    }
    Cow::Owned(folded)
}

/// The number that a facet value may have been: its text is then exactly what Rust prints for that number.
pub(crate) fn as_number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "1"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole)
        || !digits(fraction)
        || fraction.ends_with('0')
        || (whole.len() > 1 && whole.starts_with('0'))
    {
        return None;
    }
    let number: f64 = text.parse().ok().filter(|number: &f64| number.is_finite())?;
    (text.len() <= 15 || number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_lose_case_and_composition() {
        assert_eq!(normalize("drama".into()), "drama");
        assert_eq!(normalize(" Drama\n".into()), "drama");
        assert_eq!(normalize("\u{c9}t\u{e9}".into()), "e\u{301}te\u{301}");
        assert_eq!(normalize("\u{fb01}n".into()), "fin");
        assert_eq!(normalize("é".repeat(300).into()).len(), 468);
    }

    #[test]
    fn queries_meet_values_without_accents() {
        let folded = |text: &'static str| fold(normalize(text.into())).into_owned();
        assert_eq!(folded("Élodie"), "elodie");
        assert_eq!(folded("L’Œuvre"), "l'oeuvre");
        assert_eq!(folded("plain"), "plain");
    }

    #[test]
    fn only_printed_numbers_are_numbers() {
        for text in ["0", "-1", "1998", "6.5", "0.001", "100000000000000000000"] {
            assert!(as_number(text).is_some(), "{text}");
        }
        for text in
            ["", "-", "01", "1.0", "1.", ".5", "1e3", "+1", " 1", "12345678901234567890", "NaN", "1_0"]
        {
            assert!(as_number(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_prints_as_a_number_is_one(number in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            prop_assert_eq!(as_number(&number.to_string()), Some(number));
        }
    }
}
