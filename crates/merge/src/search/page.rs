//! Which hits go into the answer, and writing them.

use std::{collections::HashSet, ops::ControlFlow};

use bytes::Bytes;

use super::{
    answer::Answer,
    distinct::{Distinct, Values, has_empty},
    nearest::Last,
    open, shape_of_hits,
    spec::{SearchSpec, Window},
};
use crate::{
    MergeError,
    error::InNode,
    kway::{merge, merge_lists},
    record::Shape,
};

/// What the hits say about the whole.
#[derive(Debug, Default)]
pub(crate) struct Taken<'a> {
    /// Hits on the page that were found by their vector.
    pub(crate) semantic: u64,
    /// Hits that another one with the same distinct value came before, with their nodes.
    pub(crate) duplicates: Vec<(usize, &'a [u8])>,
    /// Whether other hits may be on the page: see [`page_in_doubt`].
    pub(crate) in_doubt: bool,
    /// Of each answer, how many hits it takes to tell the page.
    pub(crate) read: Vec<usize>,
}

/// Whether the answers do not tell for sure which hits are on the page under `distinct`: a hit was left out that has several
/// values, so that its node may have left out others for it, or one has an empty string and hits are compared
/// [twice](SearchSpec::distinct_twice). With `limit`, nodes did not group their hits, and were asked for so many of them: then where it
/// takes more.
///
/// # Errors
///
/// If an answer is cut, or not what Meilisearch sends.
pub fn page_in_doubt(answers: &[Bytes], spec: &SearchSpec, limit: Option<usize>) -> Result<bool, MergeError> {
    if spec.distinct.is_none() || answers.len() < 2 {
        return Ok(false);
    }
    let shape = shape_of_hits(spec);
    let taken = write_hits(&mut open(answers, &shape, spec)?, spec, &shape, (None, None), &mut Vec::new())?;
    Ok(match limit {
        None => taken.in_doubt,
        Some(limit) => taken.read.iter().any(|read| *read >= limit),
    })
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
    /// Where hits are compared once more.
    values: Option<Values<'a>>,
    /// How many hits are kept by `distinct`, and how many of these are looked for.
    kept: usize,
    looked_for: usize,
    /// The documents that came before, by their place in the order of insertion, where one may come twice.
    met: Option<HashSet<&'a [u8], foldhash::fast::RandomState>>,
    /// Of the documents equally near to a vector, the last one.
    last: Option<Last<'a>>,
}

/// Appends the hits of the page, with commas between them. Of a hybrid search whose halves were asked for by themselves, so many
/// answers are the first `half`; a document may be in both. `last` is the last document that is found by its vector.
pub(crate) fn write_hits<'a>(
    answers: &mut [Answer<'a, '_>],
    spec: &SearchSpec,
    shape: &Shape<'_>,
    (half, last): (Option<usize>, Option<Last<'a>>),
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
        taken: Taken { read: vec![0; answers.len()], ..Taken::default() },
        shape,
        out,
        distinct,
        values: spec.distinct_twice.then(Values::default),
        kept: 0,
        looked_for: spec.looked_for(),
        met: half.map(|_| HashSet::default()),
        last,
    };
    if spec.pinned {
        page.write_with_pins(answers, half)?;
    } else {
        in_order(answers, half, |answer| page.take(answer))?;
    }
    page.taken.duplicates.extend(page.distinct.map(Distinct::into_dropped).unwrap_or_default());
    Ok(page.taken)
}

/// Calls `take` with the answer that holds the next hit, until it breaks.
fn in_order<'a, 's>(
    answers: &mut [Answer<'a, 's>],
    half: Option<usize>,
    take: impl FnMut(&mut Answer<'a, 's>) -> Result<ControlFlow<()>, MergeError>,
) -> Result<(), MergeError> {
    match half {
        Some(half) => merge_lists(answers, half, take),
        None => merge(answers, take),
    }
}

impl<'a> Page<'_, 'a> {
    fn take(&mut self, answer: &mut Answer<'a, '_>) -> Result<ControlFlow<()>, MergeError> {
        if self.is_left_out(answer)? || !self.keeps(answer) {
            return Ok(ControlFlow::Continue(()));
        }
        if self.is_next_wanted() {
            self.write(answer)?;
        }
        self.seen += 1;
        Ok(self.is_done())
    }

    fn is_left_out(&self, answer: &mut Answer<'a, '_>) -> Result<bool, MergeError> {
        let Some(last) = &self.last else { return Ok(false) };
        let nearness = answer.details()?.nearness();
        Ok(nearness.is_some_and(|(similarity, _)| last.leaves_out(similarity, answer.record().sequence())))
    }

    fn keeps(&mut self, answer: &Answer<'a, '_>) -> bool {
        let record = answer.record();
        let sequence = record.sequence();
        if !sequence.is_empty() && self.met.as_mut().is_some_and(|met| !met.insert(sequence)) {
            return false;
        }
        let Some(distinct) = &mut self.distinct else { return true };
        let (node, text, values) = (answer.node(), record.text(), record.watched());
        let is_looked_for = self.kept < self.looked_for;
        let keeps = distinct.keep(node, text, values);
        self.kept += usize::from(keeps);
        if !is_looked_for {
            // What takes the place of a hit that is left out in the end was not looked for.
            return keeps && self.values.is_none();
        }
        if let Some(read) = self.taken.read.get_mut(node) {
            *read += 1;
        }
        self.taken.in_doubt |= (!keeps && values.len() > 1) || (self.values.is_some() && has_empty(values));
        let is_met = keeps && self.values.as_mut().is_some_and(|met| !met.keep(values));
        if is_met {
            self.taken.duplicates.push((node, text));
        }
        keeps && !is_met
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
    fn write_with_pins(
        &mut self,
        answers: &mut [Answer<'a, '_>],
        half: Option<usize>,
    ) -> Result<(), MergeError> {
        let mut pins = Vec::new();
        let mut others = Vec::new();
        let (mut text, mut semantic) = (Vec::new(), Vec::new());
        in_order(answers, half, |answer| {
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
