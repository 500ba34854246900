//! When indexes became others: what was read of one before means nothing for it after.

use std::collections::BTreeMap;

use miroir_log::{Log, LogError, Operation};

use crate::work::Work;

/// What a node was sent, or held already when its part of the log began, that made another index of one. It may have been
/// sent by an earlier process: what is not known is looked up in the log.
#[derive(Debug)]
pub(super) struct Exchanges {
    /// The last such entry, by index.
    last: BTreeMap<String, u32>,
    /// Entries from here on have been looked at, up to where the node is.
    since: u32,
}

// === impl Exchanges ===

impl Exchanges {
    /// Of a node that has everything before this position.
    pub(super) fn before(position: u32) -> Self {
        Self { last: BTreeMap::new(), since: position }
    }

    /// The node is sent an entry.
    pub(super) fn note(&mut self, work: &Work) {
        for index in exchanged(work) {
            let last = self.last.entry(index.to_owned()).or_default();
            *last = (*last).max(work.uid());
        }
    }

    /// Makes sure that the entries from `from` on are known.
    pub(super) async fn learn(&mut self, log: &dyn Log, from: u32) -> Result<(), LogError> {
        Work::look_through(log, from..self.since, |work| self.note(work)).await?;
        self.since = self.since.min(from);
        Ok(())
    }

    /// The last entry that made another index of this one.
    pub(super) fn last(&self, index: &str) -> Option<u32> {
        self.last.get(index).copied()
    }

    /// The indexes that became others by an entry from this one on.
    pub(super) fn since(&self, from: u32) -> impl Iterator<Item = &str> {
        self.iter().filter(move |(_, uid)| *uid >= from).map(|(index, _)| index)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.last.iter().map(|(index, uid)| (index.as_str(), *uid))
    }
}

/// The indexes that an entry exchanges, renames, deletes, or gives another primary key.
pub(crate) fn exchanged(work: &Work) -> Vec<&str> {
    if !work.prepared.is_sent() {
        return Vec::new();
    }
    let own = work.entry.index_uid.iter().map(String::as_str);
    match &work.entry.operation {
        Operation::IndexDeletion => own.collect(),
        Operation::IndexUpdate { new_uid, .. } => own.chain(new_uid.as_deref()).collect(),
        Operation::IndexSwap { swaps } => {
            swaps.iter().flat_map(|swap| [swap.indexes.0.as_str(), swap.indexes.1.as_str()]).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use miroir_log::Operation;

    use super::*;
    use crate::testing::{addition, plain, work};

    #[test]
    fn both_names_of_an_index_are_told_from_where_it_was_renamed_on() {
        let renamed = Operation::IndexUpdate { new_uid: Some("films".to_owned()), primary_key: None };
        let mut exchanges = Exchanges::before(3);
        exchanges.note(&work(4, addition(1), plain()));
        exchanges.note(&work(5, renamed, plain()));
        assert_eq!(exchanges.since(5).collect::<Vec<_>>(), ["films", "movies"]);
        assert_eq!(exchanges.since(6).count(), 0);
    }
}
