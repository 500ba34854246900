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

    #[test]
    fn stops_where_it_is_told() {
        let (taken, left) = merged(&[&[1, 2, 3], &[10, 20]], 2);
        assert_eq!((taken, left), (vec![1, 2], 2));
    }
}
