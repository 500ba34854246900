//! A federated search, from its queries to its answer.

use std::time::Instant;

use miroir_protocol::search::{Federation, IndexQuery, inside_query};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::page::{choose, make};
use super::queries::{Found, Query, Target};
use super::{facets, merge::Scored};
use crate::error::EngineError;
use crate::features::Features;
use crate::search::multi::inside;
use crate::search::prepare::Window;
use crate::search::run::{milliseconds_since, put_page, put_window};
use crate::state::State;

/// Answers a federated search; `for_merge` to somebody who merges the answers of several nodes.
pub(in crate::search) fn federated_search(
    state: &State,
    queries: Vec<IndexQuery>,
    federation: &Federation,
    for_merge: bool,
) -> Result<Value, EngineError> {
    let started = Instant::now();
    let is_paged = federation.page.is_some() || federation.hits_per_page.is_some();
    let window = match is_paged {
        true => Window::of_page(federation.page, federation.hits_per_page),
        false => Window { offset: federation.offset, limit: federation.limit },
    };
    let wanted = window.offset.saturating_add(window.limit);
    let queries = queries.into_iter().enumerate().map(|(position, query)| {
        Query::new(query, federation, wanted).map_err(|error| inside_query(position, error))
    });
    let queries: Vec<_> = queries.collect::<Result<_, _>>()?;
    let features = *state.features.read();
    let Searched { mut targets, target_of, mut found } = Searched::new(state, &queries, &features, wanted)?;

    let lists: Vec<Vec<Scored>> = found.iter_mut().map(|found| std::mem::take(&mut found.hits)).collect();
    let page = choose(federation, &window, &mut targets, &target_of, lists)?;
    let total: u64 = targets.iter().map(|target| target.candidates.len()).sum();
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    let facets = facets::count(state, federation, &mut targets)?;
    let is_semantic = found.iter().any(|found| found.is_semantic);
    let vectors = found.iter_mut().map(|found| found.vector.take()).enumerate();
    let vectors: Map<_, _> =
        vectors.filter_map(|(position, vector)| Some((position.to_string(), json!(vector?)))).collect();
    let hits = make(&page, for_merge, &queries, &targets, &target_of, found)?;

    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| drop(answer.insert(name.to_owned(), value));
    put("hits", hits.into());
    if queries.iter().any(|query| query.query.retrieve_vectors) {
        put("queryVectors", vectors.into());
    }
    put("processingTimeMs", milliseconds_since(started));
    match is_paged {
        true => put_page(&mut put, federation.page, federation.hits_per_page, total),
        false => put_window(&mut put, &window, total),
    }
    facets.put(&mut put, federation.merge_facets);
    put("requestUid", json!(Uuid::now_v7().to_string()));
    if is_semantic {
        put("semanticHitCount", json!(page.iter().filter(|hit| hit.is_semantic()).count()));
    }
    Ok(answer.into())
}

/// What all queries found.
struct Searched {
    /// The indexes searched in.
    targets: Vec<Target>,
    /// For each query, which of them is its.
    target_of: Vec<usize>,
    /// What each query found.
    found: Vec<Found>,
}

impl Searched {
    fn new(
        state: &State,
        queries: &[Query],
        features: &Features,
        wanted: usize,
    ) -> Result<Self, EngineError> {
        let mut targets: Vec<Target> = Vec::new();
        let mut done = Vec::with_capacity(queries.len());
        // Index by index, as errors are told in that order.
        let mut order: Vec<_> = queries.iter().enumerate().collect();
        order.sort_by_key(|(_, query)| &query.index_uid);
        for (position, query) in order {
            if targets.last().is_none_or(|target| target.open.uid != query.index_uid) {
                let opened = state.indexes.get(&query.index_uid);
                let target = opened.and_then(|open| Target::new(open, position, wanted));
                targets.push(target.map_err(|error| inside(position, error))?);
            }
            let number = targets.len() - 1;
            let found = targets[number].run(position, query, features);
            done.push((position, number, found.map_err(|error| inside(position, error))?));
        }
        done.sort_by_key(|(position, ..)| *position);
        let (target_of, found) = done.into_iter().map(|(_, number, found)| (number, found)).unzip();
        Ok(Self { targets, target_of, found })
    }
}
