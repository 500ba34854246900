//! Which of several versions of a document is right.
//!
//! In this order: the one that most copies have; the one that the log wrote last, or deleted last, and of such that differ in
//! nothing but where they were written first the one that was written earlier; the one of a copy that nobody but the gateway has
//! written to. Where none of these tells, nothing is changed.

use std::{
    cmp::Reverse,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
};

use miroir_log::{Operation, Selection};
use miroir_protocol::document::id_text;
use miroir_shard::{INTERNAL_FIELD, Sequence, task_of_code};
use serde_json::{Value, value::RawValue};

use crate::work::Work;

/// A version of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Version {
    /// Its text as the node gave it.
    pub(super) text: String,
    /// The same for the same content, in whatever order.
    pub(super) digest: u64,
    /// The same for the same content but for where the document was written first.
    content: u64,
    /// Where that was; none where it does not say.
    first: Option<Sequence>,
    /// The entry that wrote it last; none where it does not say.
    pub(super) task: Option<u32>,
}

/// What is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict<'a> {
    /// This version, or that there is none.
    Right(Option<&'a Version>),
    /// Nobody knows.
    Undecided,
}

impl Version {
    /// Reads a document, and gives its id with it. Vectors do not count: a node may have made them itself.
    pub(super) fn read(text: &RawValue, primary_key: Option<&str>) -> Option<(String, Self)> {
        let mut document: Value = serde_json::from_str(text.get()).ok()?;
        let id = id_text(document.get(primary_key?)?).ok()?;
        let code = |name| document[INTERNAL_FIELD][name].as_str().map(str::as_bytes);
        let first = code("n").and_then(Sequence::from_code);
        let task = code("w").and_then(task_of_code).or(first.map(|first| first.task));
        document.as_object_mut()?.remove("_vectors");
        let digest = digest(&document);
        if let Some(Value::Object(internal)) = document.get_mut(INTERNAL_FIELD) {
            internal.retain(|name, _| name == "s");
        }
        let content = self::digest(&document);
        let text = text
            .get()
            .strip_suffix(r#","_vectors":{}}"#)
            .map_or_else(|| text.get().to_owned(), |rest| format!("{rest}}}"));
        Some((id, Self { text, digest, content, first, task }))
    }
}

fn digest(document: &Value) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(canonical(document))
}

/// The text of a value with its members in order.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let members = members.into_iter().map(|(name, value)| format!("{name:?}:{}", canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(values) => {
            format!("[{}]", values.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        value => value.to_string(),
    }
}

/// Decides between what the copies have. `foreign` says how often somebody else has written to each; `deleted` whether the
/// log has deleted the document since, surely or perhaps.
pub(super) fn of<'a>(
    versions: &[Option<&'a Version>],
    foreign: &[u64],
    deleted: Option<bool>,
) -> Verdict<'a> {
    let digest = |version: &Option<&Version>| version.map(|version| version.digest);
    let most = versions
        .iter()
        .max_by_key(|version| versions.iter().filter(|other| digest(other) == digest(version)).count());
    let votes =
        |version: &Option<&Version>| versions.iter().filter(|other| digest(other) == digest(version)).count();
    if let Some(most) = most.filter(|most| votes(most) * 2 > versions.len()) {
        return Verdict::Right(*most);
    }
    if deleted == Some(true) {
        return Verdict::Right(None);
    }
    let known = versions.iter().flatten().filter(|version| version.task.is_some());
    let newest = known.max_by_key(|version| (version.task, Reverse(version.first)));
    let task = newest.and_then(|newest| newest.task);
    let rivals = versions.iter().flatten().filter(|version| version.task == task);
    if let Some(newest) = newest.filter(|newest| rivals.clone().all(|rival| rival.content == newest.content))
        && deleted.is_none()
    {
        return Verdict::Right(Some(newest));
    }
    let untouched: Vec<_> = versions.iter().zip(foreign).filter(|(_, foreign)| **foreign == 0).collect();
    match untouched.split_first() {
        Some(((first, _), rest)) if rest.iter().all(|(other, _)| digest(other) == digest(first)) => {
            Verdict::Right(**first)
        }
        _ => Verdict::Undecided,
    }
}

/// Whether an entry deletes a document that the entry `task` wrote: surely, perhaps, or not at all.
pub(super) fn deletes(work: &Work, id: &str, task: u32) -> Option<bool> {
    if !work.prepared.is_sent() || work.uid() <= task {
        return None;
    }
    match &work.entry.operation {
        Operation::DocumentDeletion { selection: Selection::ByIds { ids } } => {
            ids.iter().any(|deleted| deleted == id).then_some(true)
        }
        Operation::DocumentDeletion { selection: Selection::All } | Operation::IndexDeletion => Some(true),
        Operation::DocumentDeletion { selection: Selection::ByFilter { .. } }
        | Operation::DocumentEdition { .. } => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use miroir_shard::{Slot, internal_field};

    use super::*;

    fn version(text: &str) -> Version {
        let raw = RawValue::from_string(text.to_owned()).expect("JSON");
        Version::read(&raw, Some("id")).expect("a document").1
    }

    fn written(task: u32, content: &str) -> Version {
        let code = String::from_utf8(Sequence { task, ordinal: 0 }.code().to_vec()).expect("text");
        version(&format!(r#"{{"id":1,"a":"{content}","_miroir":{{"n":"{code}"}}}}"#))
    }

    #[test]
    fn content_counts_and_not_its_form() {
        let one = version(r#"{"id": 1, "a": {"x": 1, "y": [2]}}"#);
        let same = version(r#"{"a":{"y":[2],"x":1},"id":1,"_vectors":{}}"#);
        assert_eq!(one.digest, same.digest);
        assert_eq!(same.text, r#"{"a":{"y":[2],"x":1},"id":1}"#);
        assert_ne!(one.digest, version(r#"{"id":1,"a":{"x":1,"y":["2"]}}"#).digest);
    }

    #[test]
    fn most_copies_are_right() {
        let (good, bad) = (written(3, "good"), written(4, "bad"));
        let versions = [Some(&good), Some(&bad), Some(&good)];
        assert_eq!(of(&versions, &[0, 0, 0], None), Verdict::Right(Some(&good)));
        assert_eq!(of(&[None, Some(&good), Some(&good)], &[0; 3], None), Verdict::Right(Some(&good)));
    }

    #[test]
    fn the_last_write_of_the_log_is_right() {
        let (old, new) = (written(3, "old"), written(9, "new"));
        assert_eq!(of(&[Some(&old), Some(&new)], &[0, 5], None), Verdict::Right(Some(&new)));
        assert_eq!(of(&[None, Some(&new)], &[0, 0], None), Verdict::Right(Some(&new)));
        assert_eq!(of(&[None, Some(&new)], &[0, 0], Some(true)), Verdict::Right(None));
    }

    #[test]
    fn what_was_written_first_keeps_its_earliest_place() {
        let again = |first: u32| {
            let field = internal_field(Slot::of("1"), 8, Sequence { task: first, ordinal: 0 }, Some(9));
            version(&format!(r#"{{"id":1,"a":"same",{}}}"#, String::from_utf8_lossy(field.as_bytes())))
        };
        let (early, late) = (again(3), again(5));
        assert_eq!(early.task, Some(9));
        assert_eq!(of(&[Some(&late), Some(&early)], &[0, 0], None), Verdict::Right(Some(&early)));
        let other = written(9, "other");
        assert_eq!(of(&[Some(&other), Some(&early)], &[0, 0], None), Verdict::Undecided);
    }

    #[test]
    fn a_copy_that_somebody_else_wrote_to_is_wrong() {
        let (good, bad) = (written(3, "good"), written(3, "bad"));
        assert_eq!(of(&[Some(&bad), Some(&good)], &[2, 0], None), Verdict::Right(Some(&good)));
        assert_eq!(of(&[Some(&bad), Some(&good)], &[0, 0], None), Verdict::Undecided);
        assert_eq!(of(&[None, Some(&good)], &[0, 0], Some(false)), Verdict::Undecided);
    }
}
