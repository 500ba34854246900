//! The hits of the page: chosen among all that the queries found, then made.

use std::collections::HashSet;

use miroir_protocol::search::Federation;
use serde_json::{Value, json};

use super::merge::{Scored, merge};
use super::queries::{Found, Query, Target};
use crate::error::EngineError;
use crate::search::hits::make_hits;
use crate::search::multi::inside;
use crate::search::prepare::Window;

/// Chooses the page's hits. A document that several queries of an index found counts once, for the query that ranks
/// it best; of documents with the same distinct value the others are taken out of their index's candidates.
pub(super) fn choose(
    federation: &Federation,
    window: &Window,
    targets: &mut [Target],
    target_of: &[usize],
    lists: Vec<Vec<Scored>>,
) -> Result<Vec<Scored>, EngineError> {
    let mut seen = HashSet::new();
    let mut distinct = HashSet::new();
    let mut kept = 0;
    let mut page = Vec::new();
    for hit in merge(lists) {
        // Further hits matter only for what they take out.
        if federation.distinct.is_none() && page.len() >= window.limit {
            break;
        }
        let number = target_of[hit.position];
        let target = &mut targets[number];
        if !seen.insert((number, hit.document)) {
            continue;
        }
        if let Some(field) = &federation.distinct {
            let values = target.values_of(hit.document, field)?;
            if values.iter().any(|value| distinct.contains(value)) {
                target.candidates.remove(hit.document);
                continue;
            }
            distinct.extend(values);
        }
        if target.room == 0 {
            continue;
        }
        target.room -= 1;
        if kept >= window.offset && page.len() < window.limit {
            page.push(hit);
        }
        kept += 1;
    }
    Ok(page)
}

/// Makes the hits of the page, each with the query it is from, and for who merges them what they are weighed with.
pub(super) fn make(
    page: &[Scored],
    for_merge: bool,
    queries: &[Query],
    targets: &[Target],
    target_of: &[usize],
    found: Vec<Found>,
) -> Result<Vec<Value>, EngineError> {
    let mut hits = vec![Value::Null; page.len()];
    for (position, (query, found)) in queries.iter().zip(found).enumerate() {
        let places: Vec<_> = (0..page.len()).filter(|place| page[*place].position == position).collect();
        let target = &targets[target_of[position]];
        let documents = places.iter().map(|place| (page[*place].document, page[*place].scores.clone()));
        let made = make_hits(&target.open.index, &target.rtxn, &query.query, found.words, documents)
            .map_err(|error| inside(position, error))?;
        for (place, mut hit) in places.into_iter().zip(made) {
            hit["_federation"] = json!({
                "indexUid": query.index_uid,
                "queriesPosition": position,
                "weightedRankingScore": page[place].score(),
            });
            if for_merge {
                let values: Vec<_> = page[place].values().collect();
                hit["_federation"]["weightedScoreValues"] = json!(values);
            }
            hits[place] = hit;
        }
    }
    Ok(hits)
}
