//! Pages far behind the first item: first, which items of which answers they hold, told from answers with no more than what
//! items are ordered by; then the items themselves, from answers that begin where the page does.

use std::ops::ControlFlow;

use bytes::Bytes;

use crate::{
    MergeError,
    kway::{Source, merge},
    record::Record,
};

/// Where the items of a page are.
#[derive(Debug, Default)]
pub(crate) struct Whereabouts<'a> {
    /// The items: which answer each one is in, and its place in the order of insertion.
    items: Vec<(usize, &'a [u8])>,
    stretches: Vec<Stretch>,
}

/// The items of one answer that are on a page: they stand together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stretch {
    /// How many of the answer's items come before them.
    pub skip: usize,
    /// How many there are.
    pub take: usize,
}

/// An item that can be told from others.
pub(crate) trait Item<'a>: Source {
    /// Which of the given answers it is in.
    fn answer(&self) -> usize;

    /// What was read of it.
    fn item(&self) -> &Record<'a>;
}

// === impl Whereabouts ===

impl<'a> Whereabouts<'a> {
    /// Finds the page that begins after `skip` items and has `take`; `None` where an item on it cannot be told from others.
    pub(crate) fn find<S: Item<'a>>(
        answers: &mut [S],
        skip: usize,
        take: usize,
    ) -> Result<Option<Self>, MergeError> {
        let mut stretches = vec![Stretch::default(); answers.len()];
        let mut items = Vec::with_capacity(take.min(1_000));
        let mut seen = 0usize;
        let mut are_told = true;
        if take == 0 {
            return Ok(Some(Self { items, stretches }));
        }
        merge(answers, |source| {
            let Some(stretch) = stretches.get_mut(source.answer()) else { return Ok(ControlFlow::Break(())) };
            if seen < skip {
                stretch.skip += 1;
            } else {
                stretch.take += 1;
                let sequence = source.item().sequence();
                are_told &= !sequence.is_empty();
                items.push((source.answer(), sequence));
            }
            seen += 1;
            let is_done = items.len() == take || !are_told;
            Ok(if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(are_told.then_some(Self { items, stretches }))
    }

    /// What is on the page, answer by answer.
    pub(crate) fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// Calls `write` with each item of the page, which `pages` hold, an answer each that begins with the answer's
    /// [`Stretch`]. `false` where they do not: something was written or moved in between.
    pub(crate) fn write<'p, S: Item<'p>>(
        &self,
        pages: &mut [S],
        mut write: impl FnMut(&mut S) -> Result<(), MergeError>,
    ) -> Result<bool, MergeError> {
        for (answer, sequence) in &self.items {
            let Some(page) = pages.get_mut(*answer) else { return Ok(false) };
            if !page.advance()? || page.item().sequence() != *sequence {
                return Ok(false);
            }
            write(page)?;
        }
        Ok(true)
    }
}

/// The answers, with `empty` for those of nodes that were not asked.
pub(crate) fn filled(pages: &[Bytes], empty: &'static [u8]) -> Vec<Bytes> {
    let filled = |page: &Bytes| if page.is_empty() { Bytes::from_static(empty) } else { page.clone() };
    pages.iter().map(filled).collect()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::{DocumentsSpec, SearchSpec, locate_documents, locate_hits};

    fn listing(documents: &[(u32, &str)], total: usize) -> Bytes {
        let mut text = String::new();
        for (id, place) in documents {
            let comma = if text.is_empty() { "" } else { "," };
            write!(text, r#"{comma}{{"id":{id},"_miroir":{{"n":"{place}"}}}}"#).unwrap();
        }
        format!(r#"{{"results":[{text}],"offset":0,"limit":9,"total":{total}}}"#).into()
    }

    const SPEC: DocumentsSpec = DocumentsSpec { offset: 2, limit: 2, sort: Vec::new(), strip: Vec::new() };

    #[test]
    fn each_node_is_asked_for_what_it_holds_of_the_page() {
        let answers = [listing(&[(1, "!!"), (4, ";;")], 2), listing(&[(2, "!,"), (3, "!:"), (5, ";;;")], 3)];
        let located = locate_documents(&answers, &SPEC).unwrap().unwrap();
        let [first, second] = [Stretch { skip: 1, take: 1 }, Stretch { skip: 1, take: 1 }];
        assert_eq!(located.stretches(), [first, second]);
        let pages = [listing(&[(4, ";;")], 2), listing(&[(3, "!:")], 3)];
        let merged = located.merge(&pages, &SPEC).unwrap().unwrap();
        assert_eq!(merged, br#"{"results":[{"id":3},{"id":4}],"offset":2,"limit":2,"total":5}"#);
    }

    #[test]
    fn what_was_written_in_between_is_noticed() {
        let answers = [listing(&[(1, "!!"), (4, ";;")], 2), listing(&[(2, "!,"), (3, "!:")], 2)];
        let located = locate_documents(&answers, &SPEC).unwrap().unwrap();
        for page in [listing(&[(3, ";;!")], 2), listing(&[], 1), Bytes::new()] {
            assert_eq!(located.merge(&[listing(&[(4, ";;")], 2), page], &SPEC), Ok(None));
        }
        assert_eq!(located.merge(&[], &SPEC), Ok(None));
    }

    #[test]
    fn without_answers_there_is_nothing_to_look_in() {
        assert_eq!(locate_documents(&[], &SPEC).err(), Some(MergeError::NoAnswers));
        assert_eq!(locate_hits(&[], &SearchSpec::default()).err(), Some(MergeError::NoAnswers));
    }

    #[test]
    fn documents_without_a_place_are_not_looked_for() {
        let answers = [listing(&[(1, ""), (2, ""), (3, "")], 3)];
        assert!(locate_documents(&answers, &SPEC).unwrap().is_none());
    }
}
