//! A place in a JSON text and the steps from there: into objects and arrays, over keys and values.
//!
//! The cursor checks the structure it walks through (quotes, commas, colons, brackets); what it only steps over is
//! taken as it is. It never recurses, allocates or panics.

use memchr::memchr2;
use wide::u8x16;

use super::block::{LANES, container_end, underscore_or_end};

/// Where a text stops being what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScanError {
    /// The byte it was noticed at.
    pub(crate) offset: usize,
    /// What was expected.
    pub(crate) reason: &'static str,
}

/// The result of a step.
pub(crate) type Scan<T> = Result<T, ScanError>;

/// A place in a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The index of the next byte.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Goes on from there.
    pub(crate) fn skip_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The text from `start` up to here.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.text.get(start..self.at).unwrap_or_default()
    }

    pub(crate) fn fail<T>(&self, reason: &'static str) -> Scan<T> {
        Err(ScanError { offset: self.at, reason })
    }

    /// The next byte that is no white space.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    /// Steps over `byte`.
    #[inline]
    pub(crate) fn expect(&mut self, byte: u8, reason: &'static str) -> Scan<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        self.fail(reason)
    }

    /// The text ends here.
    pub(crate) fn end(&mut self) -> Scan<()> {
        if self.peek().is_none() { Ok(()) } else { self.fail("expected the end of the text") }
    }

    /// Steps into an object.
    pub(crate) fn enter_object(&mut self) -> Scan<()> {
        self.expect(b'{', "expected an object")
    }

    /// Steps into an array.
    pub(crate) fn enter_array(&mut self) -> Scan<()> {
        self.expect(b'[', "expected an array")
    }

    /// Inside an object, before its first member (`first`) or after a value: steps over the next key and its colon and
    /// returns the key as written; `None` steps out of the object.
    #[inline]
    pub(crate) fn key(&mut self, first: &mut bool) -> Scan<Option<&'a [u8]>> {
        match self.peek() {
            Some(b'}') => {
                self.at += 1;
                return Ok(None);
            }
            Some(b',') if !*first => self.at += 1,
            Some(_) if *first => {}
            _ => return self.fail("expected a comma or the end of an object"),
        }
        *first = false;
        let key = self.string()?;
        self.expect(b':', "expected a colon")?;
        Ok(Some(key))
    }

    /// Inside an object, where [`key`](Self::key) may be called: the same for the next key that begins with `_`. What comes
    /// before it is not looked at beyond quotes and brackets.
    pub(crate) fn underscore_key(&mut self) -> Scan<Option<&'a [u8]>> {
        loop {
            let Some(at) = underscore_or_end(self.text, self.at) else {
                self.at = self.text.len();
                return self.fail("expected the end of an object");
            };
            self.at = at;
            if self.text.get(at) != Some(&b'"') {
                self.at += 1;
                return Ok(None);
            }
            let string = self.string()?;
            if string.first() == Some(&b'_') && self.peek() == Some(b':') {
                self.at += 1;
                return Ok(Some(string));
            }
        }
    }

    /// Inside an array, before its first element (`first`) or after an element: whether there is a next one; if not,
    /// steps out of the array.
    #[inline]
    pub(crate) fn element(&mut self, first: &mut bool) -> Scan<bool> {
        match self.peek() {
            Some(b']') => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !*first => self.at += 1,
            Some(_) if *first => {}
            _ => return self.fail("expected a comma or the end of an array"),
        }
        *first = false;
        Ok(true)
    }

    /// Steps over a string; returns what is between the quotes, as written.
    #[inline]
    pub(crate) fn string(&mut self) -> Scan<&'a [u8]> {
        self.expect(b'"', "expected a string")?;
        let start = self.at;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(stop) = quote_or_backslash(rest) else {
                self.at = self.text.len();
                return self.fail("expected the end of a string");
            };
            self.at += stop;
            if rest.get(stop) == Some(&b'"') {
                let content = self.since(start);
                self.at += 1;
                return Ok(content);
            }
            self.at += 2;
        }
    }

    /// Steps over any value; returns it as written.
    #[inline]
    pub(crate) fn value(&mut self) -> Scan<&'a [u8]> {
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'{' | b'[') => {
                self.at += 1;
                self.leave()?;
            }
            Some(b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => self.word(),
            _ => return self.fail("expected a value"),
        }
        Ok(self.since(start))
    }

    /// Anywhere inside an object or array, but not inside a string: steps out of it.
    pub(crate) fn leave(&mut self) -> Scan<()> {
        match container_end(self.text, self.at) {
            Some(end) => {
                self.at = end;
                Ok(())
            }
            None => {
                self.at = self.text.len();
                self.fail("expected the end of an object or array")
            }
        }
    }

    /// Steps over a number, `true`, `false` or `null`.
    fn word(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let len = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'E' | b'+' | b'-' | b'.'));
        self.at += len.unwrap_or(rest.len());
    }
}

/// Most keys and values are short, and end among the bytes that one comparison looks at.
#[inline]
fn quote_or_backslash(text: &[u8]) -> Option<usize> {
    let Some((short, rest)) = text.split_first_chunk::<LANES>() else {
        return text.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    };
    let short = u8x16::new(*short);
    let found = short.simd_eq(u8x16::splat(b'"')) | short.simd_eq(u8x16::splat(b'\\'));
    match found.to_bitmask() {
        0 => memchr2(b'"', b'\\', rest).map(|stop| stop + LANES),
        found => Some(found.trailing_zeros() as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_with_underscores_are_those_of_all_keys(
            members in proptest::collection::vec((key(), value()), 0..12),
            space in proptest::sample::select(vec!["", " "]),
        ) {
            let members: Vec<String> =
                members.iter().map(|(key, value)| format!("\"{key}\"{space}:{space}{value}{space}")).collect();
            let text = format!("{{{space}{}}}", members.join(&format!(",{space}")));
            let mut cursor = Cursor::new(text.as_bytes());
            cursor.enter_object().unwrap();
            let (mut first, mut expected) = (true, Vec::new());
            while let Some(key) = cursor.key(&mut first).unwrap() {
                let member = (key, cursor.value().unwrap());
                expected.extend(key.starts_with(b"_").then_some(member));
            }
            let end = cursor.at();
            let mut cursor = Cursor::new(text.as_bytes());
            cursor.enter_object().unwrap();
            let mut found = Vec::new();
            while let Some(key) = cursor.underscore_key().unwrap() {
                found.push((key, cursor.value().unwrap()));
            }
            prop_assert_eq!((found, cursor.at()), (expected, end));
            for cut in 1..text.len() {
                let mut cursor = Cursor::new(&text.as_bytes()[..cut]);
                cursor.enter_object().unwrap();
                let end = loop {
                    match cursor.underscore_key().and_then(|key| key.map(|_| cursor.value()).transpose()) {
                        Ok(Some(_)) => {}
                        end => break end,
                    }
                };
                prop_assert!(end.is_err(), "{} of {}", cut, text);
            }
        }
    }

    fn key() -> impl Strategy<Value = &'static str> {
        let keys =
            ["_miroir", "_", "a", "", r#"\"_"#, r"a\\", "release_date_of_the_film", "_rankingScoreDetails"];
        proptest::sample::select(keys.to_vec())
    }

    fn value() -> impl Strategy<Value = String> {
        let values = [
            "-1.5e9",
            "null",
            r#""_a""#,
            r#""_a\":""#,
            r#""Y{[_:,""#,
            r#"["_a",{"_b":1}]"#,
            r#"{"_a":{"_b":"\\"}}"#,
            "{}",
            r#""of more than sixteen bytes, and of some more""#,
        ];
        proptest::sample::select(values.to_vec()).prop_map(str::to_owned)
    }

    #[test]
    fn walks_members_and_elements() {
        let mut cursor = Cursor::new(br#" { "a\"b" : [1, "x", {} ,[]] , "c":null } "#);
        cursor.enter_object().unwrap();
        let mut first = true;
        assert_eq!(cursor.key(&mut first), Ok(Some(&br#"a\"b"#[..])));
        cursor.enter_array().unwrap();
        let mut first_element = true;
        let mut elements = Vec::new();
        while cursor.element(&mut first_element).unwrap() {
            elements.push(cursor.value().unwrap());
        }
        assert_eq!(elements, [&b"1"[..], b"\"x\"", b"{}", b"[]"]);
        assert_eq!(cursor.key(&mut first), Ok(Some(&b"c"[..])));
        assert_eq!(cursor.value(), Ok(&b"null"[..]));
        assert_eq!(cursor.key(&mut first), Ok(None));
        assert_eq!(cursor.end(), Ok(()));
    }

    #[test]
    fn says_where_it_stops() {
        let mut cursor = Cursor::new(br#"{"a":1 "b":2}"#);
        cursor.enter_object().unwrap();
        let mut first = true;
        cursor.key(&mut first).unwrap();
        cursor.value().unwrap();
        assert_eq!(cursor.key(&mut first).map_err(|error| error.offset), Err(7));
    }

    #[test]
    fn strings_of_every_length_end_at_their_quote() {
        for len in 0..200 {
            let text = format!("\"{}\\\"{}\",", "x".repeat(len), "y".repeat(len));
            let mut cursor = Cursor::new(text.as_bytes());
            assert_eq!(cursor.string().unwrap().len(), 2 * len + 2);
            assert_eq!(cursor.peek(), Some(b','));
        }
    }

    #[test]
    fn cut_texts_are_errors() {
        let text = br#"{"a":["x\n",{"b":"c"}],"d":-1.5e3}"#;
        for len in 0..text.len() {
            assert!(Cursor::new(&text[..len]).value().is_err(), "{len}");
        }
        assert_eq!(Cursor::new(text).value(), Ok(&text[..]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut cursor = Cursor::new(&text);
            while cursor.value().is_ok() {}
            let (_, _) = (cursor.string(), cursor.leave());
        }
    }
}
