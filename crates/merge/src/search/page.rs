//! Which hits go into the answer, and writing them.

use std::{collections::HashSet, ops::ControlFlow};

use super::{
    answer::Answer,
    distinct::Distinct,
    spec::{SearchSpec, Window},
};
use crate::{MergeError, error::InNode, kway::merge, record::Shape};

/// What the hits say about the whole.
#[derive(Debug, Default)]
pub(crate) struct Taken<'a> {
    /// Hits on the page that were found by their vector.
    pub(crate) semantic: u64,
    /// Hits that another one with the same distinct value came before, with their nodes.
    pub(crate) duplicates: Vec<(usize, &'a [u8])>,
}

/// The hits of a page, as they are written.
struct Page<'w, 'a> {
    window: Window,
    /// How many hits came before.
    seen: usize,
    written: usize,
    taken: Taken<'a>,
    shape: &'w Shape<'w>,
    out: &'w mut Vec<u8>,
    distinct: Option<Distinct<'a>>,
    /// The documents that came before, by their place in the order of insertion, where one may come twice.
    met: Option<HashSet<&'a [u8], foldhash::fast::RandomState>>,
}

/// Appends the hits of the page, with commas between them. `twice` says that a document may be in several answers.
pub(crate) fn write_hits<'a>(
    answers: &mut [Answer<'a, '_>],
    spec: &SearchSpec,
    shape: &Shape<'_>,
    twice: bool,
    out: &mut Vec<u8>,
) -> Result<Taken<'a>, MergeError> {
    let window = spec.window();
    if window.take == 0 && spec.distinct.is_none() {
        return Ok(Taken::default());
    }
    let distinct = spec.distinct.as_ref().map(|_| Distinct::default());
    let mut page = Page {
        window,
        seen: 0,
        written: 0,
        taken: Taken::default(),
        shape,
        out,
        distinct,
        met: twice.then(HashSet::default),
    };
    if spec.pinned {
        page.write_with_pins(answers)?;
    } else {
        merge(answers, |answer| page.take(answer))?;
    }
    page.taken.duplicates = page.distinct.map(Distinct::into_dropped).unwrap_or_default();
    Ok(page.taken)
}

impl<'a> Page<'_, 'a> {
    fn take(&mut self, answer: &mut Answer<'a, '_>) -> Result<ControlFlow<()>, MergeError> {
        if !self.keeps(answer) {
            return Ok(ControlFlow::Continue(()));
        }
        if self.is_next_wanted() {
            self.write(answer)?;
        }
        self.seen += 1;
        Ok(self.is_done())
    }

    fn keeps(&mut self, answer: &Answer<'a, '_>) -> bool {
        let record = answer.record();
        let sequence = record.sequence();
        if !sequence.is_empty() && self.met.as_mut().is_some_and(|met| !met.insert(sequence)) {
            return false;
        }
        let distinct = self.distinct.as_mut();
        distinct.is_none_or(|distinct| distinct.keep(answer.node(), record.text(), record.watched()))
    }

    fn is_next_wanted(&self) -> bool {
        self.seen >= self.window.skip && self.written < self.window.take
    }

    /// With `distinct`, the hits after the page are looked at too: they may be duplicates that the totals count.
    fn is_done(&self) -> ControlFlow<()> {
        if self.written == self.window.take && self.distinct.is_none() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn write(&mut self, answer: &mut Answer<'a, '_>) -> Result<(), MergeError> {
        if self.written > 0 {
            self.out.push(b',');
        }
        self.written += 1;
        let record = answer.record();
        record.write(self.shape, self.out).in_node(answer.node(), record.base())?;
        self.taken.semantic += u64::from(answer.is_semantic()?);
        Ok(())
    }

    /// Pinned documents first look for their places among all others: a node that holds one may have been asked too
    /// few of its other hits before it comes up.
    fn write_with_pins(&mut self, answers: &mut [Answer<'a, '_>]) -> Result<(), MergeError> {
        let mut pins = Vec::new();
        let mut others = Vec::new();
        let (mut text, mut semantic) = (Vec::new(), Vec::new());
        merge(answers, |answer| {
            let start = text.len();
            let pin = answer.details()?.pin();
            if pin.is_none() && !self.keeps(answer) {
                return Ok(ControlFlow::Continue(()));
            }
            let record = answer.record();
            record.write(self.shape, &mut text).in_node(answer.node(), record.base())?;
            match pin {
                Some(place) => pins.push((place, start..text.len())),
                None => {
                    others.push(start..text.len());
                    semantic.push(answer.is_semantic()?);
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        pins.sort_by_key(|(place, _)| *place);
        let (mut pins, mut others) =
            (pins.into_iter().peekable(), others.into_iter().zip(semantic).peekable());
        while self.written < self.window.take {
            let due =
                pins.peek().is_some_and(|(place, _)| *place <= self.seen as u64 || others.peek().is_none());
            let next = if due { pins.next().map(|(_, range)| (range, false)) } else { others.next() };
            let Some((range, is_semantic)) = next else { break };
            if self.is_next_wanted() {
                if self.written > 0 {
                    self.out.push(b',');
                }
                self.out.extend_from_slice(text.get(range).unwrap_or_default());
                self.written += 1;
                self.taken.semantic += u64::from(is_semantic);
            }
            self.seen += 1;
        }
        Ok(())
    }
}
