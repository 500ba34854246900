//! What the log has deleted since it was written, and what an index is called since.

use std::collections::BTreeMap;

use miroir_log::Operation;

use super::verdict::deletes;
use crate::{
    mover::{Mover, remote::MoveError},
    work::Work,
};

/// What an index was called: it may have come to its name by a swap, and be another one than had the name before.
#[derive(Debug)]
struct Names {
    now: String,
    /// Entries that gave it another name, in order, each with the name before.
    before: Vec<(u32, String)>,
}

impl Mover {
    /// Whether the log says that a document of an index was deleted after the entry that wrote it; not in the map where it
    /// says nothing of it.
    pub(super) async fn deleted_since<'a>(
        &self,
        index: &str,
        written: &BTreeMap<&'a str, u32>,
    ) -> Result<BTreeMap<&'a str, bool>, MoveError> {
        let from = written.values().min().map_or(0, |task| task + 1);
        let mut renamed = Vec::new();
        Work::look_through(&*self.log, from..u32::MAX, |work| renamed.extend(exchanged_names(work))).await?;
        let names = Names::of(index, renamed);
        let mut deleted = BTreeMap::new();
        let look = |work: &Work| {
            if work.entry.index_uid.as_deref() != Some(names.at(work.uid())) {
                return;
            }
            for (id, task) in written {
                if let Some(sure) = deletes(work, id, *task) {
                    *deleted.entry(*id).or_default() |= sure;
                }
            }
        };
        Work::look_through(&*self.log, from..u32::MAX, look).await?;
        Ok(deleted)
    }

    /// What an index is called now that was called so when an entry was done; `None` where it is gone. Nothing counts that has
    /// not finished: what finishes later is not in the catalog either.
    pub(in crate::mover) async fn name_since(
        &self,
        index: &str,
        uid: u32,
    ) -> Result<Option<String>, MoveError> {
        let finished = *self.progress.finished().borrow();
        let mut name = Some(index.to_owned());
        let follow = |work: &Work| name = name.take().and_then(|name| name_after(name, work));
        Work::look_through(&*self.log, uid + 1..finished, follow).await?;
        Ok(name)
    }
}

/// What an index is called after an entry; `None` where that deletes it.
fn name_after(mut name: String, work: &Work) -> Option<String> {
    let failed = work.prepared.effect().is_some_and(|effect| effect.failure.is_some());
    if failed || !work.prepared.is_sent() {
        return Some(name);
    }
    if matches!(work.entry.operation, Operation::IndexDeletion)
        && work.entry.index_uid.as_ref() == Some(&name)
    {
        return None;
    }
    for (_, one, other) in exchanged_names(work) {
        if name == one {
            name = other;
        } else if name == other {
            name = one;
        }
    }
    Some(name)
}

/// The names that change places by an entry, in order.
fn exchanged_names(work: &Work) -> Vec<(u32, String, String)> {
    if !work.prepared.is_sent() {
        return Vec::new();
    }
    let exchange = |one: &str, other: &str| (work.uid(), one.to_owned(), other.to_owned());
    match (&work.entry.operation, &work.entry.index_uid) {
        (Operation::IndexSwap { swaps }, _) => {
            swaps.iter().map(|swap| exchange(&swap.indexes.0, &swap.indexes.1)).collect()
        }
        (Operation::IndexUpdate { new_uid: Some(new_uid), .. }, Some(uid)) => vec![exchange(uid, new_uid)],
        _ => Vec::new(),
    }
}

// === impl Names ===

impl Names {
    /// Those of the index that is called `now`, after these exchanges of names.
    fn of(now: &str, exchanges: Vec<(u32, String, String)>) -> Self {
        let (mut name, mut before) = (now.to_owned(), Vec::new());
        for (uid, one, other) in exchanges.into_iter().rev() {
            name = match name {
                name if name == one => other,
                name if name == other => one,
                _ => continue,
            };
            before.push((uid, name.clone()));
        }
        before.reverse();
        Self { now: now.to_owned(), before }
    }

    /// What it was called when an entry was done.
    fn at(&self, uid: u32) -> &str {
        let next = self.before.iter().find(|(exchange, _)| *exchange >= uid);
        next.map_or(&self.now, |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{plain, work};

    #[test]
    fn an_index_is_followed_to_the_name_it_has() {
        let of = |uid: &str, operation| {
            let work = work(4, operation, plain());
            let mut entry = (*work.entry).clone();
            entry.index_uid = Some(uid.to_owned());
            Work { entry: std::sync::Arc::new(entry), ..work }
        };
        let renamed = |uid, to: &str| {
            of(uid, Operation::IndexUpdate { new_uid: Some(to.to_owned()), primary_key: None })
        };
        let after = |name: &str, work: &Work| name_after(name.to_owned(), work);
        let films = renamed("movies", "films");
        assert_eq!(after("movies", &films).as_deref(), Some("films"));
        assert_eq!(after("books", &films).as_deref(), Some("books"));
        let gone = of("movies", Operation::IndexDeletion);
        assert_eq!((after("movies", &gone), after("films", &gone).as_deref()), (None, Some("films")));
    }

    #[test]
    fn an_index_is_followed_through_the_names_it_had() {
        let exchange = |uid, one: &str, other: &str| (uid, one.to_owned(), other.to_owned());
        let exchanges = vec![
            exchange(3, "books", "movies"),
            exchange(5, "movies", "films"),
            exchange(7, "films", "new"),
            exchange(7, "new", "newer"),
        ];
        let names = |now: &str| {
            let names = Names::of(now, exchanges.clone());
            [2, 4, 6, 8].map(|uid| names.at(uid).to_owned())
        };
        assert_eq!(names("newer"), ["books", "movies", "films", "newer"]);
        assert_eq!(names("books"), ["movies", "books", "books", "books"]);
        assert_eq!(names("others"), ["others"; 4]);
    }
}
