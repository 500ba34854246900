//! Whether indexes can change places.

use std::collections::BTreeSet;

use miroir_protocol::{
    error::{Code, ResponseError},
    tasks::Swap,
};

use crate::head::Head;

/// What is wrong with a swap, in Meilisearch's words: an index that has to be there is not, or one is where a name has to
/// be free.
pub(super) fn check(head: &Head, swaps: &[Swap]) -> Result<(), ResponseError> {
    let mut missing = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for Swap { indexes: (left, right), rename } in swaps {
        if head.index(left).is_none() {
            missing.insert(left.as_str());
        }
        match (head.index(right).is_some(), rename) {
            (true, true) => {
                taken.insert((left.as_str(), right.as_str()));
            }
            (false, false) => {
                missing.insert(right.as_str());
            }
            _ => {}
        }
    }
    let missing: Vec<&str> = missing.into_iter().collect();
    match missing.as_slice() {
        [] => {}
        [uid] => return Err(ResponseError::index_not_found(uid)),
        uids => {
            return Err(ResponseError::new(
                Code::IndexNotFound,
                format!("Indexes {} not found.", names(uids)),
            ));
        }
    }
    let taken: Vec<(&str, &str)> = taken.into_iter().collect();
    let message = match taken.as_slice() {
        [] => return Ok(()),
        [(left, right)] => format!(
            "Cannot rename `{left}` to `{right}` as the index already exists. Hint: You can remove `{right}` first and \
             then do your remove."
        ),
        pairs => format!(
            "The following indexes are being renamed but cannot because their new name conflicts with an already \
             existing index: {}. Renaming doesn't overwrite the other index name.",
            names(&pairs.iter().map(|(_, right)| *right).collect::<Vec<_>>())
        ),
    };
    Err(ResponseError::new(Code::IndexAlreadyExists, message))
}

fn names(uids: &[&str]) -> String {
    uids.iter().map(|uid| format!("`{uid}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use miroir_log::Operation;

    use super::*;
    use crate::{
        prepared::{Effect, Prepared},
        testing::entry,
    };

    /// What is said about swaps where the indexes `a` and `b` exist.
    fn said(swaps: &[(&str, &str, bool)]) -> String {
        let mut head = Head::default();
        for uid in ["a", "b"] {
            let mut creation = entry(0, Operation::IndexCreation { primary_key: None });
            creation.index_uid = Some(uid.to_owned());
            head.apply(&creation, &Prepared::Apply(Effect::default()));
        }
        let swap = |(left, right, rename): &(&str, &str, bool)| Swap {
            indexes: ((*left).to_owned(), (*right).to_owned()),
            rename: *rename,
        };
        let swaps: Vec<Swap> = swaps.iter().map(swap).collect();
        check(&head, &swaps).map_or_else(|error| error.message().to_owned(), |()| String::new())
    }

    #[test]
    fn both_indexes_of_a_swap_must_be_there_and_a_new_name_must_be_free() {
        assert_eq!(said(&[]), "");
        assert_eq!(said(&[("a", "b", false)]), "");
        assert_eq!(said(&[("a", "c", true)]), "");
        assert_eq!(said(&[("a", "c", false)]), "Index `c` not found.");
        assert_eq!(said(&[("x", "y", false), ("a", "b", false)]), "Indexes `x`, `y` not found.");
        assert!(
            said(&[("a", "b", true)]).starts_with("Cannot rename `a` to `b` as the index already exists.")
        );
    }
}
