//! Values at a dotted path, as Meilisearch reads such paths: `a.b` is the member `b` of the object `a`, of each object
//! in the array `a`, or the member that is itself called `a.b`.

use std::borrow::Cow;

use super::{Cursor, Scan, unescape};

/// How deep arrays and objects may be nested along a path.
const MAX_DEPTH: usize = 128;

/// Calls `visit` with every value at `path` in the object `text`: arrays are given element by element, objects never.
pub(crate) fn visit_leaves<'a>(text: &'a [u8], path: &str, visit: &mut impl FnMut(&'a [u8])) -> Scan<()> {
    descend(text, path, visit, 0)
}

/// The same for one member of the object.
pub(crate) fn visit_member<'a>(
    key: &[u8],
    value: &'a [u8],
    path: &str,
    visit: &mut impl FnMut(&'a [u8]),
) -> Scan<()> {
    visit_member_at(key, value, path, visit, 0)
}

fn visit_member_at<'a>(
    key: &[u8],
    value: &'a [u8],
    path: &str,
    visit: &mut impl FnMut(&'a [u8]),
    depth: usize,
) -> Scan<()> {
    match below(key, path) {
        Some("") => leaves(value, visit, depth + 1),
        Some(rest) => descend(value, rest, visit, depth + 1),
        None => Ok(()),
    }
}

fn descend<'a>(text: &'a [u8], path: &str, visit: &mut impl FnMut(&'a [u8]), depth: usize) -> Scan<()> {
    let mut cursor = Cursor::new(text);
    if depth > MAX_DEPTH {
        return cursor.fail("nested too deeply");
    }
    let mut first = true;
    match cursor.peek() {
        Some(b'{') => {
            cursor.enter_object()?;
            while let Some(key) = cursor.key(&mut first)? {
                visit_member_at(key, cursor.value()?, path, visit, depth)?;
            }
        }
        Some(b'[') => {
            cursor.enter_array()?;
            while cursor.element(&mut first)? {
                descend(cursor.value()?, path, visit, depth + 1)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn leaves<'a>(value: &'a [u8], visit: &mut impl FnMut(&'a [u8]), depth: usize) -> Scan<()> {
    match value.first() {
        Some(b'[') => {
            let mut cursor = Cursor::new(value);
            if depth > MAX_DEPTH {
                return cursor.fail("nested too deeply");
            }
            cursor.enter_array()?;
            let mut first = true;
            while cursor.element(&mut first)? {
                leaves(cursor.value()?, visit, depth + 1)?;
            }
        }
        Some(b'{') => {}
        _ => visit(value),
    }
    Ok(())
}

/// What is left of a path below a key: empty if the key is the whole path.
#[inline]
pub(crate) fn below<'p>(key: &[u8], path: &'p str) -> Option<&'p str> {
    let key = if key.contains(&b'\\') {
        Cow::Owned(unescape(key).into_owned().into_bytes())
    } else {
        Cow::Borrowed(key)
    };
    match path.as_bytes().strip_prefix(key.as_ref())? {
        [] => Some(""),
        [b'.', ..] => path.get(key.len() + 1..),
        _ => None,
    }
}

/// Appends `"key":value` without what the paths point at. Objects that become empty go too, up to and including the
/// value itself: then the answer is `false` and what was appended is to be taken back.
pub(crate) fn prune_member(key: &[u8], value: &[u8], paths: &[&str], out: &mut Vec<u8>) -> Scan<bool> {
    prune_member_at(key, value, paths, out, 0)
}

/// Appends the object `text` with those members that `write` appends and answers `true` for; what it appends before
/// answering `false` is taken back. Tells how many members were kept and dropped.
pub(crate) fn filter_members<'a>(
    text: &'a [u8],
    out: &mut Vec<u8>,
    mut write: impl FnMut(&'a [u8], &'a [u8], &mut Vec<u8>) -> Scan<bool>,
) -> Scan<(usize, usize)> {
    let mut cursor = Cursor::new(text);
    cursor.enter_object()?;
    out.push(b'{');
    let (mut first, mut kept, mut dropped) = (true, 0, 0);
    while let Some(key) = cursor.key(&mut first)? {
        let member = out.len();
        if kept > 0 {
            out.push(b',');
        }
        if write(key, cursor.value()?, out)? {
            kept += 1;
        } else {
            out.truncate(member);
            dropped += 1;
        }
    }
    out.push(b'}');
    Ok((kept, dropped))
}

/// Appends `"key":value`.
pub(crate) fn push_member(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(key);
    out.extend_from_slice(b"\":");
    out.extend_from_slice(value);
}

fn prune_value(value: &[u8], paths: &[&str], out: &mut Vec<u8>, depth: usize) -> Scan<bool> {
    let mut cursor = Cursor::new(value);
    if depth > MAX_DEPTH {
        return cursor.fail("nested too deeply");
    }
    let start = out.len();
    let (kept, dropped) = match cursor.peek() {
        Some(b'{') => {
            filter_members(value, out, |key, value, out| prune_member_at(key, value, paths, out, depth))?
        }
        Some(b'[') => prune_elements(cursor, paths, out, depth)?,
        _ => {
            out.extend_from_slice(value);
            (1, 0)
        }
    };
    let keep = kept > 0 || dropped == 0;
    if !keep {
        out.truncate(start);
    }
    Ok(keep)
}

fn prune_elements(
    mut array: Cursor<'_>,
    paths: &[&str],
    out: &mut Vec<u8>,
    depth: usize,
) -> Scan<(usize, usize)> {
    array.enter_array()?;
    out.push(b'[');
    let (mut first, mut kept, mut dropped) = (true, 0, 0);
    while array.element(&mut first)? {
        let element = out.len();
        if kept > 0 {
            out.push(b',');
        }
        if prune_value(array.value()?, paths, out, depth + 1)? {
            kept += 1;
        } else {
            out.truncate(element);
            dropped += 1;
        }
    }
    out.push(b']');
    Ok((kept, dropped))
}

fn prune_member_at(key: &[u8], value: &[u8], paths: &[&str], out: &mut Vec<u8>, depth: usize) -> Scan<bool> {
    let rests: Vec<&str> = paths.iter().filter_map(|path| below(key, path)).collect();
    if rests.contains(&"") {
        return Ok(false);
    }
    if rests.is_empty() {
        push_member(key, value, out);
        return Ok(true);
    }
    push_member(key, b"", out);
    prune_value(value, &rests, out, depth + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, path: &str) -> Vec<String> {
        let mut found = Vec::new();
        visit_leaves(text.as_bytes(), path, &mut |value| {
            found.push(String::from_utf8_lossy(value).into_owned())
        })
        .unwrap();
        found
    }

    fn without(text: &str, paths: &[&str]) -> String {
        let mut out = Vec::new();
        filter_members(text.as_bytes(), &mut out, |key, value, out| prune_member(key, value, paths, out))
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths_reach_into_objects_and_arrays() {
        let text = r#"{"a":[{"b":1},{"b":[2,[3]]},4],"a.b":"x","ab":5,"a":{"b":{"c":6}}}"#;
        assert_eq!(at(text, "a.b"), ["1", "2", "3", "\"x\""]);
        assert_eq!(at(text, "a"), ["4"]);
        assert_eq!(at(text, "a.b.c"), ["6"]);
        assert!(at(text, "b").is_empty());
    }

    #[test]
    fn pruning_drops_what_becomes_empty() {
        let text = r#"{"id":1,"a":{"b":1,"c":2},"d":{"b":1},"e":[{"b":1},{"b":2,"c":3}],"f":{}}"#;
        assert_eq!(without(text, &["a.b", "d.b", "e.b"]), r#"{"id":1,"a":{"c":2},"e":[{"c":3}],"f":{}}"#);
        assert_eq!(without(text, &["id", "a", "d", "e", "f"]), "{}");
        assert_eq!(without(text, &["x", "a.x"]), text);
    }

    #[test]
    fn deep_nesting_is_an_error() {
        let text = format!("{{\"a\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
        assert!(visit_leaves(text.as_bytes(), "a", &mut |_| {}).is_err());
        assert!(prune_member(b"a", text.as_bytes(), &["a.b"], &mut Vec::new()).is_ok());
        let inner = "[".repeat(1000) + &"]".repeat(1000);
        assert!(prune_member(b"a", inner.as_bytes(), &["a.b"], &mut Vec::new()).is_err());
    }
}
