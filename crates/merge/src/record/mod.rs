//! One document or hit of a node's answer: a slice of it, with the few members found that a merge looks at or changes.

mod shape;

pub(crate) use self::shape::{Shape, is_visible};

use self::shape::Action;
use crate::{
    keys::{direction, similarity},
    scan::{
        Cursor, Scan, count, filter_members, prune_member, push_count, push_member, unescape, visit_member,
    },
    search::push_text,
};

/// Members of `_federation` that a node writes for who merges its answer.
const ONLY_FOR_MERGES: [&[u8]; 3] = [b"weightedScoreValues", b"extra_document", b"pinnedPosition"];

/// The member of `_federation` that says which query found the hit.
const QUERY: &[u8] = b"queriesPosition";

/// A document or hit as the node wrote it.
#[derive(Debug, Default)]
pub(crate) struct Record<'a> {
    text: &'a [u8],
    /// Where the text starts in the node's answer.
    base: usize,
    edits: Vec<Edit<'a>>,
    sequence: &'a [u8],
    score: Option<&'a [u8]>,
    details: Option<&'a [u8]>,
    federation: Option<&'a [u8]>,
    watched: Vec<&'a [u8]>,
}

/// A member that does not go to the client as it is.
#[derive(Debug)]
struct Edit<'a> {
    key: &'a [u8],
    /// The end of the member before it.
    from: usize,
    /// The start of its value.
    value: usize,
    /// The end of its value.
    end: usize,
    action: Action,
}

impl<'a> Record<'a> {
    /// Reads the object at the cursor into this value and steps over it.
    pub(crate) fn read(&mut self, cursor: &mut Cursor<'a>, shape: &Shape<'_>) -> Scan<()> {
        self.edits.clear();
        self.edits.reserve(4);
        self.watched.clear();
        (self.sequence, self.score, self.details, self.federation) = (&[], None, None, None);
        cursor.enter_object()?;
        let start = cursor.at() - 1;
        let only_underscores = shape.only_underscores();
        let mut first = true;
        while let Some(key) =
            if only_underscores { cursor.underscore_key()? } else { cursor.key(&mut first)? }
        {
            let before = cursor.since(start);
            let value = cursor.value()?;
            let end = cursor.at() - start;
            if let Some(action) = shape.action(key) {
                let from = end_before(key, before);
                if key.starts_with(b"_ranking") || key == b"_federation" {
                    // What has the same name before it is the document's own: nodes write theirs last.
                    self.edits.retain(|edit| edit.key != key);
                }
                self.edits.push(Edit { key, from, value: end - value.len(), end, action });
            }
            if key.first() == Some(&b'_') {
                self.note(key, value)?;
            }
            if let Some(path) = shape.watch {
                visit_member(key, value, path, &mut |leaf| self.watched.push(leaf))?;
            }
        }
        self.text = cursor.since(start);
        self.base = start;
        Ok(())
    }

    fn note(&mut self, key: &[u8], value: &'a [u8]) -> Scan<()> {
        match key {
            b"_miroir" => self.sequence = sequence(value)?,
            b"_rankingScore" => self.score = Some(value),
            b"_rankingScoreDetails" => self.details = Some(value),
            b"_federation" => self.federation = Some(value),
            _ => {}
        }
        Ok(())
    }

    /// The whole object.
    pub(crate) fn text(&self) -> &'a [u8] {
        self.text
    }

    /// Where the object starts in the node's answer.
    pub(crate) fn base(&self) -> usize {
        self.base
    }

    /// The code of the document's place in the order of insertion: codes compare as text. Empty if the node did not
    /// send it.
    pub(crate) fn sequence(&self) -> &'a [u8] {
        self.sequence
    }

    /// The `_rankingScore`, as written.
    pub(crate) fn score(&self) -> Option<&'a [u8]> {
        self.score
    }

    /// The `_federation`, as written.
    pub(crate) fn federation(&self) -> Option<&'a [u8]> {
        self.federation
    }

    /// The `_rankingScoreDetails`, as written.
    pub(crate) fn details(&self) -> Option<&'a [u8]> {
        self.details
    }

    /// Whether the client gets to see something else than what the node wrote.
    pub(crate) fn is_changed(&self) -> bool {
        !self.edits.is_empty()
    }

    /// The values at the path that the shape watches.
    pub(crate) fn watched(&self) -> &[&'a [u8]] {
        &self.watched
    }

    /// Appends what the client gets to see.
    pub(crate) fn write(&self, shape: &Shape<'_>, out: &mut Vec<u8>) -> Scan<()> {
        out.push(b'{');
        let body = out.len();
        let mut at = 1;
        for edit in &self.edits {
            push_run(self.slice(at, edit.from), body, out);
            at = edit.end;
            let member = out.len();
            if member > body {
                out.push(b',');
            }
            let value = self.slice(edit.value, edit.end);
            if !rewrite(edit.key, value, edit.action, shape, out)? {
                out.truncate(member);
            }
        }
        push_run(self.slice(at, self.text.len()), body, out);
        Ok(())
    }

    fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.text.get(from..to).unwrap_or_default()
    }
}

/// Where the member before `key` ends in an object's text, which goes up to the key and its colon.
fn end_before(key: &[u8], text: &[u8]) -> usize {
    let name = text.strip_suffix(b":").unwrap_or(text).trim_ascii_end();
    let before = name.get(..name.len().saturating_sub(key.len() + 2)).unwrap_or_default().trim_ascii_end();
    before.strip_suffix(b",").unwrap_or(before).len()
}

/// Appends members that stand together; the first of all loses its comma.
fn push_run(run: &[u8], body: usize, out: &mut Vec<u8>) {
    let run = if out.len() == body {
        let run = run.trim_ascii_start();
        run.strip_prefix(b",").unwrap_or(run)
    } else {
        run
    };
    out.extend_from_slice(run);
}

/// The member `n` of the internal field.
fn sequence(internal: &[u8]) -> Scan<&[u8]> {
    let mut cursor = Cursor::new(internal);
    if cursor.peek() != Some(b'{') {
        return Ok(&[]);
    }
    cursor.enter_object()?;
    let mut first = true;
    while let Some(key) = cursor.key(&mut first)? {
        if key == b"n" && cursor.peek() == Some(b'"') {
            return cursor.string();
        }
        cursor.value()?;
    }
    Ok(&[])
}

/// Appends a member as the client gets to see it; `false` if nothing is left of it.
fn rewrite(key: &[u8], value: &[u8], action: Action, shape: &Shape<'_>, out: &mut Vec<u8>) -> Scan<bool> {
    let is_object = value.first() == Some(&b'{');
    match action {
        Action::Drop => return Ok(false),
        // A member of the document that has the name of one of the node's.
        Action::Formatted | Action::Matches | Action::Federation | Action::Redact if !is_object => {
            push_member(key, value, out);
            return Ok(shape.shows_member(key));
        }
        Action::Prune => return prune_member(key, value, &shape.strip, out),
        Action::Similarity => {
            let similarity = similarity(value)?.unwrap_or(b"null");
            let rule = [b"{\"vectorSort\":{\"order\":0,\"similarity\":", similarity, b"}}"].concat();
            push_member(key, &rule, out);
            return Ok(true);
        }
        _ => push_member(key, b"", out),
    }
    let (kept, _) = filter_members(value, out, |key, value, out| match action {
        Action::Formatted => {
            Ok(shape.shows_member(key) && prune_member(key, value, &shape.strip_formatted, out)?)
        }
        Action::Federation if ONLY_FOR_MERGES.contains(&key) => Ok(false),
        Action::Federation if key == QUERY && shape.query.is_some() => {
            push_member(key, b"", out);
            push_count(out, shape.query.unwrap_or_default() as u64);
            Ok(true)
        }
        Action::Matches if !shape.shows_path(&unescape(key)) => Ok(false),
        Action::Redact => redact(key, value, shape, out).map(|()| true),
        _ => {
            push_member(key, value, out);
            Ok(true)
        }
    })?;
    if let (Action::Federation, Some(remote), 1..) = (action, shape.remote, kept) {
        out.pop();
        push_text("remote", remote, out);
        out.push(b'}');
    }
    // Meilisearch leaves out a `_formatted` without members, but not the others.
    Ok(kept > 0 || action != Action::Formatted)
}

/// Appends a rule of the score details; a sort rule of a hidden attribute loses its name and value.
fn redact(name: &[u8], rule: &[u8], shape: &Shape<'_>, out: &mut Vec<u8>) -> Scan<()> {
    let attribute = name.strip_suffix(b":asc").or_else(|| name.strip_suffix(b":desc")).unwrap_or(name);
    let shown =
        direction(name).is_none() || name.starts_with(b"_geoPoint(") || shape.shows_attribute(attribute);
    if shown {
        push_member(name, rule, out);
        return Ok(());
    }
    let mut cursor = Cursor::new(rule);
    cursor.enter_object()?;
    let mut first = true;
    let mut order: &[u8] = b"0";
    while let Some(key) = cursor.key(&mut first)? {
        let value = cursor.value()?;
        if key == b"order" && count(value).is_some() {
            order = value;
        }
    }
    let hidden = [b"<hidden-rule-", order, b">"].concat();
    push_member(&hidden, &[b"{\"order\":", order, b",\"value\":\"<hidden>\"}"].concat(), out);
    Ok(())
}

#[cfg(test)]
mod tests;
