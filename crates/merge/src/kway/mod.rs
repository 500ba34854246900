//! Merging ordered sources, one item at a time, no further than asked.

use std::{cmp::Ordering, ops::ControlFlow};

use crate::MergeError;

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

/// The same of two lists, the first of which `sources` up to `second` make, and the others the second: each is merged by itself, and
/// only the next items of both are compared. So it goes where items of one list do not compare with the other's as they do among
/// themselves. Of equals, that of the first list is taken.
pub(crate) fn merge_lists<S: Source>(
    sources: &mut [S],
    second: usize,
    mut take: impl FnMut(&mut S) -> Result<ControlFlow<()>, MergeError>,
) -> Result<(), MergeError> {
    let mut lists = [Vec::new(), Vec::new()];
    for index in 0..sources.len() {
        advance(sources, index, &mut lists[usize::from(index >= second)])?;
    }
    loop {
        let heads = [&lists[0], &lists[1]].map(|list| list.last().and_then(|index| sources.get(*index)));
        let list = match heads {
            [None, None] => break,
            [Some(first), Some(second)] => usize::from(first.order(second).is_gt()),
            [first, _] => usize::from(first.is_none()),
        };
        let Some(next) = lists[list].pop() else { break };
        let Some(source) = sources.get_mut(next) else { break };
        if take(source)?.is_break() {
            break;
        }
        advance(sources, next, &mut lists[list])?;
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

    /// An item of one list comes by its number, and before one of another list if its twentieth is smaller.
    struct Sided(Numbers, bool);

    impl Source for Sided {
        fn advance(&mut self) -> Result<bool, MergeError> {
            self.0.advance()
        }

        fn order(&self, other: &Self) -> Ordering {
            if self.1 == other.1 {
                return self.0.1.cmp(&other.0.1);
            }
            let coarse = |sided: &Self| sided.0.1.map(|number| number / 20);
            coarse(self).cmp(&coarse(other))
        }
    }

    #[test]
    fn of_two_lists_only_the_next_items_are_compared() {
        let source =
            |numbers: &[u32], side| Sided(Numbers(numbers.iter().rev().copied().collect(), None), side);
        let mut sources =
            [source(&[1, 45], false), source(&[30], false), source(&[2, 19], true), source(&[41], true)];
        let mut taken = Vec::new();
        merge_lists(&mut sources, 2, |source| {
            taken.extend(source.0.1);
            Ok(if taken.len() == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
        assert_eq!(taken, [1, 2, 19, 30, 45]);
    }

    #[test]
    fn stops_where_it_is_told() {
        let (taken, left) = merged(&[&[1, 2, 3], &[10, 20]], 2);
        assert_eq!((taken, left), (vec![1, 2], 2));
    }
}
