//! Merging ordered sources, one item at a time, no further than asked.

use std::{cmp::Ordering, collections::VecDeque, ops::ControlFlow};

use crate::{MergeError, scan::Scan};

/// How many of the next hits of the same rank are looked at for the place of a hit in the order of insertion.
///
/// A document that was written again tells the place of the last write, while its node still lists it where it first was.
/// It cannot have come later than the documents that the node lists after it: the earliest place among them is nearer to
/// its own, and it does not hold up those behind it. So many, and not all that the answer holds, so that a hit has one
/// place whatever the page; nodes are asked for as many hits more.
pub(crate) const AHEAD: usize = 6;

/// Takes the next item of a source from those that were read `ahead`, and tells how many of these, up to `most`, are the
/// `same` as it and follow it: no more is read than it takes to tell. `spare` is an item of no more use, to read into.
pub(crate) fn next_of<T: Default>(
    ahead: &mut VecDeque<T>,
    most: usize,
    mut spare: T,
    mut read: impl FnMut(&mut T) -> Scan<bool>,
    same: impl Fn(&T, &T) -> bool,
) -> Scan<Option<(T, usize)>> {
    let mut read_ahead = |ahead: &mut VecDeque<T>| {
        let is_read = read(&mut spare)?;
        if is_read {
            ahead.push_back(std::mem::take(&mut spare));
        }
        Ok(is_read)
    };
    if ahead.is_empty() {
        read_ahead(ahead)?;
    }
    let Some(next) = ahead.pop_front() else { return Ok(None) };
    let mut ties = 0;
    while ties < most
        && (ties < ahead.len() || read_ahead(ahead)?)
        && ahead.get(ties).is_some_and(|tie| same(&next, tie))
    {
        ties += 1;
    }
    Ok(Some((next, ties)))
}

/// A node's items in the node's order.
pub(crate) trait Source {
    /// Moves on to the next item; `false` when there is none.
    fn advance(&mut self) -> Result<bool, MergeError>;

    /// Whose current item comes first (`Less`). Only called between sources that have one.
    fn order(&self, other: &Self) -> Ordering;
}

/// Calls `take` with the source that holds the next item, until it breaks or all sources are at their end.
///
/// Equal items are taken in the order of the sources. What a source held when `take` broke stays its current item.
pub(crate) fn merge<S: Source>(
    sources: &mut [S],
    mut take: impl FnMut(&mut S) -> Result<ControlFlow<()>, MergeError>,
) -> Result<(), MergeError> {
    // The indexes of the sources that have an item, the next one last.
    let mut waiting = Vec::with_capacity(sources.len());
    for index in 0..sources.len() {
        advance(sources, index, &mut waiting)?;
    }
    while let Some(next) = waiting.pop() {
        let Some(source) = sources.get_mut(next) else { break };
        if take(source)?.is_break() {
            break;
        }
        advance(sources, next, &mut waiting)?;
    }
    Ok(())
}

fn advance<S: Source>(sources: &mut [S], index: usize, waiting: &mut Vec<usize>) -> Result<(), MergeError> {
    let Some(source) = sources.get_mut(index) else { return Ok(()) };
    if !source.advance()? {
        return Ok(());
    }
    let comes_after = |other: &usize| match (sources.get(*other), sources.get(index)) {
        (Some(other_source), Some(source)) => other_source.order(source).then(other.cmp(&index)).is_gt(),
        _ => false,
    };
    let place = waiting.partition_point(comes_after);
    waiting.insert(place, index);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The items in their turn with their ties, and how many were read after the first turn.
    fn turns(numbers: &[u32], most: usize) -> (Vec<(u32, usize)>, usize) {
        let (mut ahead, mut rest) = (VecDeque::new(), numbers.iter());
        let mut turns = Vec::new();
        let mut read_first = None;
        loop {
            let read = |item: &mut u32| Ok(rest.next().map(|number| *item = *number).is_some());
            let next = next_of(&mut ahead, most, 0, read, |left, right| left / 10 == right / 10);
            let Some(turn) = next.expect("no errors") else { break };
            turns.push(turn);
            read_first.get_or_insert(numbers.len() - rest.len());
        }
        (turns, read_first.unwrap_or_default())
    }

    #[test]
    fn no_more_is_read_than_tells_ties() {
        assert_eq!(turns(&[10, 11, 20, 30], 6), (vec![(10, 1), (11, 0), (20, 0), (30, 0)], 3));
        assert_eq!(turns(&[10, 11, 12, 13, 14], 2), (vec![(10, 2), (11, 2), (12, 2), (13, 1), (14, 0)], 3));
        assert_eq!(turns(&[10, 11], 0), (vec![(10, 0), (11, 0)], 1));
        assert_eq!(turns(&[], 6), (vec![], 0));
    }

    struct Numbers(Vec<u32>, Option<u32>);

    impl Source for Numbers {
        fn advance(&mut self) -> Result<bool, MergeError> {
            self.1 = self.0.pop();
            Ok(self.1.is_some())
        }

        fn order(&self, other: &Self) -> Ordering {
            (self.1.map(|n| n / 10)).cmp(&other.1.map(|n| n / 10))
        }
    }

    fn merged(sources: &[&[u32]], limit: usize) -> (Vec<u32>, usize) {
        let mut sources: Vec<_> =
            sources.iter().map(|numbers| Numbers(numbers.iter().rev().copied().collect(), None)).collect();
        let mut taken = Vec::new();
        merge(&mut sources, |source| {
            taken.extend(source.1);
            Ok(if taken.len() == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
        (taken, sources.iter().map(|source| source.0.len()).sum())
    }

    #[test]
    fn equals_keep_the_order_of_their_sources() {
        let sources: &[&[u32]] = &[&[11, 31], &[], &[12, 13, 22], &[10]];
        assert_eq!(merged(sources, 99).0, [11, 12, 13, 10, 22, 31]);
    }

    #[test]
    fn stops_where_it_is_told() {
        let (taken, left) = merged(&[&[1, 2, 3], &[10, 20]], 2);
        assert_eq!((taken, left), (vec![1, 2], 2));
    }
}
