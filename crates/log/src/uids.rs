//! A set of task uids that takes little room where they follow one another.

use serde::{Deserialize, Serialize};

/// Uids in rising order, kept as ranges: a filter that means everything is a few numbers, not one for each task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Uids(Vec<(u32, u32)>);

impl Uids {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(first, last)| u64::from(*last) - u64::from(*first) + 1).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a uid is one of them.
    pub fn contains(&self, uid: u32) -> bool {
        let place = self.0.partition_point(|(_, last)| *last < uid);
        self.0.get(place).is_some_and(|(first, _)| *first <= uid)
    }

    /// The ranges, first and last uid of each.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// All of them, in rising order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }
}

impl FromIterator<u32> for Uids {
    /// Of uids in any order.
    fn from_iter<I: IntoIterator<Item = u32>>(uids: I) -> Self {
        let mut uids: Vec<u32> = uids.into_iter().collect();
        uids.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for uid in uids {
            match ranges.last_mut() {
                Some((_, last)) if uid <= last.saturating_add(1) => *last = uid,
                _ => ranges.push((uid, uid)),
            }
        }
        Self(ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::Uids;

    #[test]
    fn neighbours_are_one_range() {
        let uids: Uids = [7, 1, 2, 3, 3, 9, 8].into_iter().collect();
        assert_eq!(uids.ranges(), [(1, 3), (7, 9)]);
        assert_eq!(uids.len(), 6);
        assert_eq!(uids.iter().collect::<Vec<_>>(), [1, 2, 3, 7, 8, 9]);
    }

    #[test]
    fn only_what_was_put_in_is_in() {
        let uids: Uids = [0, 2, 3, u32::MAX].into_iter().collect();
        let found: Vec<u32> =
            [0, 1, 2, 3, 4, u32::MAX].into_iter().filter(|uid| uids.contains(*uid)).collect();
        assert_eq!(found, [0, 2, 3, u32::MAX]);
        assert!(!Uids::default().contains(0) && Uids::default().is_empty());
    }
}
