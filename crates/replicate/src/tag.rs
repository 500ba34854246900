//! The tag by which a dispatch is recognised among a node's tasks after a crash.

use std::fmt;

use miroir_log::Entry;

/// Which entries, and which part of them, a node's task stands for. It travels as the task's `customMetadata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tag {
    /// The first entry.
    pub(crate) first: u32,
    /// The last entry, the same as the first unless several small writes went out together.
    pub(crate) last: u32,
    /// The step, counted from 0.
    pub(crate) step: u32,
    /// What tells these entries from others at their places, see [`mark`]. Earlier versions gave none.
    pub(crate) mark: Option<u32>,
}

/// What tells entries from others that have had their places in the same log: where an older copy of the log is put back,
/// places are given again. That is when the first and the last of them came, to the nanosecond.
pub(crate) fn mark(first: &Entry, last: &Entry) -> u32 {
    let low = |entry: &Entry| entry.enqueued_at.unix_timestamp_nanos() as u32;
    low(first) ^ low(last).rotate_left(16)
}

/// A [`Tag`] of one log, written as `miroir:<log>:<first>-<last>:<step>:<mark>`.
pub(crate) struct TagText<'a> {
    pub(crate) log: &'a str,
    pub(crate) tag: Tag,
}

impl Tag {
    /// Reads a tag that this log gave; `None` for any other metadata.
    pub(crate) fn parse(text: &str, log: &str) -> Option<Self> {
        let rest = text.strip_prefix("miroir:")?.strip_prefix(log)?.strip_prefix(':')?;
        let (range, step) = rest.split_once(':')?;
        let (first, last) = range.split_once('-')?;
        let (step, mark) = match step.split_once(':') {
            Some((step, mark)) => (step, Some(u32::from_str_radix(mark, 16).ok()?)),
            None => (step, None),
        };
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()?, step: step.parse().ok()?, mark })
    }
}

impl fmt::Display for TagText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tag { first, last, step, mark } = self.tag;
        write!(f, "miroir:{}:{first}-{last}:{step}", self.log)?;
        mark.map_or(Ok(()), |mark| write!(f, ":{mark:x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_read_back_by_its_own_log_only() {
        let tag = Tag { first: 3, last: 7, step: 1, mark: Some(0xab12) };
        let text = TagText { log: "abc", tag }.to_string();
        assert_eq!(Tag::parse(&text, "abc"), Some(tag));
        assert_eq!(Tag::parse(&text, "abd"), None);
        assert_eq!(Tag::parse("miroir:abc:3-7:1", "abc"), Some(Tag { mark: None, ..tag }));
        assert_eq!(Tag::parse("mine", "abc"), None);
        assert_eq!(Tag::parse("miroir:abc:3-x:1", "abc"), None);
    }
}
