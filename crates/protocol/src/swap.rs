//! Indexes that change places.

use std::collections::BTreeSet;

use deserr::Deserr;
use serde::Serialize;

use crate::{
    error::{Code, ResponseError, marker},
    index_uid::IndexUid,
    parse::{self, JsonRefusal},
    tasks::Swap,
};

/// One element of the body of `POST /swap-indexes`.
#[derive(Debug, Clone, PartialEq, Eq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
struct SwapIndexes {
    #[deserr(
        error = JsonRefusal<marker::InvalidSwapIndexes>,
        missing_field_error = JsonRefusal::<marker::MissingSwapIndexes>::missing
    )]
    indexes: Vec<IndexUid>,
    #[deserr(default, error = JsonRefusal<marker::InvalidSwapRename>)]
    rename: bool,
}

/// Parses the body of `POST /swap-indexes`. Each swap has two indexes, and no index is in two swaps.
pub fn swaps_from_json(body: &[u8]) -> Result<Vec<Swap>, ResponseError> {
    let sent: Vec<SwapIndexes> = parse::json::<_, marker::BadRequest>(body)?;
    let swaps = sent.into_iter().map(into_swap).collect::<Result<Vec<_>, _>>()?;
    check_distinct(&swaps)?;
    Ok(swaps)
}

fn into_swap(swap: SwapIndexes) -> Result<Swap, ResponseError> {
    match <[IndexUid; 2]>::try_from(swap.indexes) {
        Ok([first, second]) => {
            Ok(Swap { indexes: (first.into_inner(), second.into_inner()), rename: swap.rename })
        }
        Err(indexes) => {
            let names = indexes.iter().map(|uid| format!("\"{uid}\"")).collect::<Vec<_>>().join(", ");
            let message = format!(
                "Two indexes must be given for each swap. The list `[{names}]` contains {} indexes.",
                indexes.len()
            );
            Err(ResponseError::new(Code::InvalidSwapIndexes, message))
        }
    }
}

fn check_distinct(swaps: &[Swap]) -> Result<(), ResponseError> {
    let mut seen = BTreeSet::new();
    let names = swaps.iter().flat_map(|swap| [&swap.indexes.0, &swap.indexes.1]);
    let repeated: BTreeSet<&String> = names.filter(|name| !seen.insert(*name)).collect();
    if repeated.is_empty() {
        return Ok(());
    }
    let verb = if repeated.len() == 1 { "was" } else { "were" };
    let names = repeated.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let message =
        format!("Indexes must be declared only once during a swap. {names} {verb} specified several times.");
    Err(ResponseError::new(Code::InvalidSwapDuplicateIndexFound, message))
}

#[cfg(test)]
mod tests {
    use super::swaps_from_json;

    #[test]
    fn rename_is_kept() {
        let swaps = swaps_from_json(br#"[{"indexes":["a","b"],"rename":true}]"#).expect("good");
        assert!(swaps[0].rename);
    }

    #[test]
    fn all_repeated_indexes_are_named() {
        let body = br#"[{"indexes":["a","b"]},{"indexes":["b","a"]}]"#;
        let error = swaps_from_json(body).expect_err("repeated");
        let expected =
            "Indexes must be declared only once during a swap. `a`, `b` were specified several times.";
        assert_eq!(error.message(), expected);
    }
}
