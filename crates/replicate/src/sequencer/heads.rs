//! The indexes as they will be, with a way back to what has been released.

use std::collections::VecDeque;

use crate::head::{Head, HeadChange};

/// The head after every decision, and the one after every decision that cannot be taken back.
#[derive(Debug)]
pub(super) struct Heads {
    latest: Head,
    settled: Head,
    /// What lies between the two, in log order.
    open: VecDeque<(u32, Vec<HeadChange>)>,
}

impl Heads {
    /// Where nothing can be taken back.
    pub(super) fn new(head: Head) -> Self {
        Self { latest: head.clone(), settled: head, open: VecDeque::new() }
    }

    /// The head after every decision.
    pub(super) fn latest(&self) -> &Head {
        &self.latest
    }

    /// The decision on an entry has been recorded.
    pub(super) fn push(&mut self, uid: u32, changes: Vec<HeadChange>) {
        changes.iter().for_each(|change| self.latest.make(change));
        if !changes.is_empty() {
            self.open.push_back((uid, changes));
        }
    }

    /// No decision on an entry before `position` can be taken back any more.
    pub(super) fn settle(&mut self, position: u32) {
        while let Some((_, changes)) = self.open.pop_front_if(|(uid, _)| *uid < position) {
            changes.iter().for_each(|change| self.settled.make(change));
        }
    }

    /// Takes back the decisions on entries from `position` on.
    pub(super) fn go_back(&mut self, position: u32) {
        self.settle(position);
        self.open.clear();
        self.latest = self.settled.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::HeadIndex;

    fn put(uid: &str) -> Vec<HeadChange> {
        vec![HeadChange::Put(uid.to_owned(), HeadIndex::default())]
    }

    #[test]
    fn what_was_not_released_is_taken_back() {
        let mut heads = Heads::new(Head::default());
        heads.push(0, put("a"));
        heads.push(1, Vec::new());
        heads.push(2, put("b"));
        heads.push(3, vec![HeadChange::Remove("a".to_owned())]);
        assert!(heads.latest().index("a").is_none() && heads.latest().index("b").is_some());
        heads.settle(1);
        heads.go_back(3);
        assert!(heads.latest().index("a").is_some() && heads.latest().index("b").is_some());
        heads.push(3, put("c"));
        heads.go_back(3);
        assert!(heads.latest().index("c").is_none());
    }
}
