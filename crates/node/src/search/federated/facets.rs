//! Facets of a federated search: index by index, or all as one.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use milli_core::OrderBy;
use miroir_protocol::error::{Code, ResponseError};
use miroir_protocol::search::{Federation, MergeFacets};
use roaring::RoaringBitmap;
use serde_json::{Map, Value, json};

use super::queries::Target;
use crate::error::EngineError;
use crate::search::facets::{Facets, facets_of};
use crate::search::multi::inside;
use crate::state::State;

/// The facets asked for, by index, and how each facet orders its values.
#[derive(Default)]
pub(super) struct FederatedFacets {
    by_index: BTreeMap<String, Facets>,
    orders: BTreeMap<String, (String, OrderBy)>,
}

/// Counts the facets asked for.
pub(super) fn count(
    state: &State,
    federation: &Federation,
    targets: &mut [Target],
) -> Result<FederatedFacets, EngineError> {
    let mut counted = FederatedFacets::default();
    let merged = federation.merge_facets.is_some();
    for (uid, wanted) in &federation.facets_by_index {
        let place = |error: ResponseError| {
            error.map_message(|message| format!("Inside `.federation.facetsByIndex.{uid}`: {message}"))
        };
        let Some(wanted) = wanted else { continue };
        match targets.iter_mut().find(|target| *target.open.uid == **uid) {
            Some(target) => {
                let candidates = std::mem::take(&mut target.candidates);
                let facets = counted.count_in(target, wanted, candidates, merged).map_err(|error| {
                    inside(target.first_query, EngineError::from(place(error.into_response())))
                })?;
                counted.by_index.insert(target.open.uid.clone(), facets);
            }
            // Nothing is counted, but what cannot be counted is refused.
            None => {
                let target = state.indexes.get(uid).and_then(|open| Target::new(open, 0, 0));
                let facets =
                    target.and_then(|target| counted.count_in(&target, wanted, RoaringBitmap::new(), merged));
                facets.map_err(|error| {
                    let note = format!("\n - Note: index `{uid}` is not used in queries");
                    let error =
                        place(error.into_response()).map_message(|message| format!("{message}{note}"));
                    error.with_status(http::StatusCode::BAD_REQUEST)
                })?;
            }
        }
    }
    Ok(counted)
}

impl FederatedFacets {
    fn count_in(
        &mut self,
        target: &Target,
        wanted: &[String],
        candidates: RoaringBitmap,
        merged: bool,
    ) -> Result<Facets, EngineError> {
        let Target { open, rtxn, .. } = target;
        let facets = facets_of(&open.index, rtxn, wanted, candidates)?;
        if merged {
            let orders = open.index.sort_facet_values_by(rtxn)?;
            for facet in facets.distribution.keys() {
                self.check_order(facet, &open.uid, orders.get(facet))?;
            }
        }
        Ok(facets)
    }

    /// Counts of one facet can be merged only when all indexes order its values in the same way.
    fn check_order(&mut self, facet: &str, uid: &str, order: OrderBy) -> Result<(), ResponseError> {
        match self.orders.entry(facet.to_owned()) {
            Entry::Vacant(entry) => drop(entry.insert((uid.to_owned(), order))),
            Entry::Occupied(entry) if entry.get().1 == order => {}
            Entry::Occupied(entry) => {
                let (previous, previous_order) = entry.get();
                let message = format!(
                    "Inconsistent order for values in facet `{facet}`: index `{previous}` orders \
                     {previous_order}, but index `{uid}` orders {order}.\n - Hint: Remove \
                     `federation.mergeFacets` or change `faceting.sortFacetValuesBy` to be consistent in settings."
                );
                return Err(ResponseError::new(Code::InvalidMultiSearchFacetOrder, message));
            }
        }
        Ok(())
    }

    /// Puts the facets into the answer.
    pub(super) fn put(self, put: &mut impl FnMut(&str, Value), merge: Option<MergeFacets>) {
        if self.by_index.is_empty() {
            return;
        }
        let Some(merge) = merge else {
            let by_index = self.by_index.into_iter().map(|(uid, Facets { distribution, stats })| {
                (uid, json!({ "distribution": distribution, "stats": stats }))
            });
            put("facetsByIndex", by_index.collect::<Map<_, _>>().into());
            return;
        };
        let mut counts: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let mut stats: BTreeMap<String, Value> = BTreeMap::new();
        for facets in self.by_index.into_values() {
            for (facet, values) in facets.distribution {
                let counts = counts.entry(facet).or_default();
                for (value, count) in values.as_object().into_iter().flatten() {
                    *counts.entry(value.clone()).or_default() += count.as_u64().unwrap_or_default();
                }
            }
            for (facet, new) in facets.stats {
                stats.entry(facet).and_modify(|known| widen(known, &new)).or_insert(new);
            }
        }
        let distribution = counts.into_iter().map(|(facet, values)| {
            let order = self.orders.get(&facet).map(|(_, order)| *order).unwrap_or_default();
            (facet, ordered(values, order, merge.max_values_per_facet))
        });
        put("facetDistribution", distribution.collect::<Map<_, _>>().into());
        put("facetStats", json!(stats));
    }
}

fn ordered(values: BTreeMap<String, u64>, order: OrderBy, max: Option<usize>) -> Value {
    let mut values: Vec<_> = values.into_iter().collect();
    if order == OrderBy::Count {
        values.sort_by_key(|(_, count)| Reverse(*count));
    }
    values.truncate(max.unwrap_or(usize::MAX));
    values.into_iter().map(|(value, count)| (value, json!(count))).collect::<Map<_, _>>().into()
}

/// Widens the statistics of a facet by those of another index.
fn widen(known: &mut Value, new: &Value) {
    let bound = |stats: &Value, name: &str| stats[name].as_f64().unwrap_or_default();
    *known = json!({
        "min": bound(known, "min").min(bound(new, "min")),
        "max": bound(known, "max").max(bound(new, "max")),
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use milli_core::OrderBy;
    use serde_json::json;

    use super::{FederatedFacets, ordered, widen};

    #[test]
    fn values_are_ordered_before_they_are_cut_off() {
        let values = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 3), ("c".to_owned(), 2)]);
        let cut = |order| ordered(values.clone(), order, Some(2)).to_string();
        assert_eq!(cut(OrderBy::Lexicographic), r#"{"a":1,"b":3}"#);
        assert_eq!(cut(OrderBy::Count), r#"{"b":3,"c":2}"#);
    }

    #[test]
    fn statistics_cover_all_indexes() {
        let mut known = json!({ "min": 1.0, "max": 5.0 });
        widen(&mut known, &json!({ "min": 0.5, "max": 3.0 }));
        assert_eq!(known, json!({ "min": 0.5, "max": 5.0 }));
    }

    #[test]
    fn orders_of_a_facet_must_agree() {
        let mut facets = FederatedFacets::default();
        facets.check_order("genre", "films", OrderBy::Count).expect("the first");
        facets.check_order("genre", "books", OrderBy::Count).expect("the same");
        let error = facets.check_order("genre", "games", OrderBy::Lexicographic).expect_err("another");
        assert_eq!(error.code_name(), "invalid_multi_search_facet_order");
        assert!(
            error
                .message()
                .contains("index `films` orders by count, but index `games` orders alphabetically")
        );
    }
}
