//! Documents without a vector where the embedder makes none.

use std::{collections::BTreeMap, io::Read};

use miroir_protocol::error::{Code, ResponseError};

use super::{Rules, VECTORS, inspection::for_each_document, refusal, vectors};
use crate::{PrimaryKey, SplitError, split::for_each_names};

/// How far a name may be from the one that is probably meant.
const MISTYPED: usize = 2;
/// How many names are suggested of each kind.
const HINTS: usize = 2;

/// A name that is nearly another, and how many documents have it.
pub(super) type Mistyped = (String, u64);

/// The error of a write with new documents, at least one, without a vector for an embedder that makes none. With it goes
/// what was probably meant: fields that are nearly `_vectors`, and embedders that are nearly this one.
pub(super) fn no_vectors(
    embedder: &str,
    ids: &[&str],
    fields: &[Mistyped],
    embedders: &[Mistyped],
) -> ResponseError {
    let first = ids.first().copied().unwrap_or("???");
    let others = match ids.len() {
        0 | 1 => String::new(),
        all => format!(" and at least {} other document(s)", all - 1),
    };
    let mut message = format!(
        "While embedding documents for embedder `{embedder}`: no vectors provided for document `{first}`{others}\n- Note: \
         `{embedder}` has `source: userProvided`, so documents must provide embeddings as an array in \
         `_vectors.{embedder}`."
    );
    for (field, count) in fields {
        message += &format!("\n- Hint: try replacing `{field}` by `_vectors` in {count} document(s).");
    }
    for (other, count) in embedders {
        message += &format!(
            "\n- Hint: try replacing `_vectors.{other}` by `_vectors.{embedder}` in {count} document(s)."
        );
    }
    if fields.is_empty() && embedders.is_empty() {
        message += &format!("\n- Hint: opt-out for a document with `_vectors.{embedder}: null`");
    }
    refusal(Code::VectorEmbeddingError, message)
}

/// The fields of a payload's documents that are nearly `_vectors`.
pub(super) fn mistyped_fields(spool: impl Read) -> Result<Vec<Mistyped>, SplitError> {
    let mut found = BTreeMap::new();
    for_each_names(spool, |names| {
        for name in names.iter().filter(|name| is_nearly(name, VECTORS)) {
            *found.entry(name.clone()).or_default() += 1;
        }
    })?;
    Ok(first_of(found))
}

/// The names in `_vectors` that are nearly the embedder's, in documents of the payload from `first` to before `end`.
pub(super) fn mistyped_embedders(
    spool: impl Read,
    key: &PrimaryKey,
    rules: &Rules,
    embedder: &str,
    (first, end): (u64, u64),
) -> Result<Vec<Mistyped>, SplitError> {
    let mut found = BTreeMap::new();
    for_each_document(spool, key, |place, id, special| {
        let Some(raw) = special.vectors.filter(|_| (first..end).contains(&place)) else { return };
        for (name, _) in vectors::named(id, raw).unwrap_or_default() {
            if !rules.has_embedder(&name) && is_nearly(&name, embedder) {
                *found.entry(name.into_owned()).or_default() += 1;
            }
        }
    })?;
    Ok(first_of(found))
}

fn first_of(found: BTreeMap<String, u64>) -> Vec<Mistyped> {
    found.into_iter().take(HINTS).collect()
}

fn is_nearly(name: &str, meant: &str) -> bool {
    name != meant && name.len() <= meant.len() + 4 * MISTYPED && strsim::osa_distance(name, meant) <= MISTYPED
}
