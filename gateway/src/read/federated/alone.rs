//! Federated searches of which nodes are asked every query by itself, as [what they answer to all](super) does not tell which hits
//! come first.
//!
//! That is so where a query groups its hits and another one is in the same index, and where nodes leave out documents
//! for others that are left out themselves: see [`hits_in_doubt`]. Whether the words of a hybrid query are enough is a question
//! about the hits of all nodes, too.

use bytes::Bytes;
use futures_util::future::try_join_all;
use http::Uri;
use miroir_merge::{Alone, FederatedQuery, FederatedSpec, Paging, is_in_doubt, words_are_enough};
use miroir_nodes::NodeRequest;
use miroir_protocol::{error::ResponseError, search::Federation};
use miroir_shard::ShardId;
use serde_json::{Value, json};

use super::{
    super::{
        asked::AskedSearch,
        scatter::{Gathered, Terms},
        survey::ungrouped_limits,
        targets::{Scope, Target},
    },
    gather, hits_in_doubt, most_hits,
    query::Asked,
};
use crate::state::Gateway;

/// The queries of a federated search, asked one by one.
pub(super) struct Singly<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) asked: &'a [Asked],
    pub(super) spec: &'a FederatedSpec,
    pub(super) scope: &'a Scope<'a>,
    pub(super) terms: Terms,
}

impl Singly<'_> {
    /// Whether they have to be. Answers that cannot be read are refused later.
    pub(super) fn are_needed(&self, answers: &[Bytes]) -> bool {
        let is_paged = matches!(self.spec.paging, Paging::Page { .. });
        // What is left out of a page is not counted.
        (self.spec.distinct.is_some() && is_paged)
            || self.asked.iter().any(|query| self.shares(query) || query.search.halves().is_some())
            || self.ends_early()
            || hits_in_doubt(answers, self.spec).unwrap_or_default()
    }

    /// Whether a query groups its hits apart from those of others in the same index.
    fn shares(&self, query: &Asked) -> bool {
        let others = self.asked.iter().filter(|other| other.index.uid == query.index.uid);
        self.spec.distinct.is_none() && query.search.spec.distinct.is_some() && others.count() > 1
    }

    /// Whether an index gives fewer hits than the pages up to this one have, so that more hits of others come: nodes, which give more,
    /// may have no room left for these.
    fn ends_early(&self) -> bool {
        let most = most_hits(self.spec.paging);
        let mut queries = self.spec.queries.iter();
        let gives_fewer =
            |query: &FederatedQuery| query.search.max_total_hits.is_some_and(|given| given < most);
        let first = queries.clone().next().map(|query| &query.index);
        queries.clone().any(gives_fewer) && queries.any(|query| Some(&query.index) != first)
    }

    /// Asks them, and tells which shards are missing.
    pub(super) async fn ask(&self) -> Result<(Vec<Alone>, Vec<ShardId>), ResponseError> {
        let all = try_join_all((0..self.asked.len()).map(|place| self.one(place))).await?;
        let (alone, missing): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        Ok((alone, missing.into_iter().flatten().collect()))
    }

    /// Where words may be enough for a hybrid query: what nodes say of all hits if they are told whether they are, and whether no
    /// query looks at vectors then.
    pub(super) async fn totals(
        &self,
        alone: &[Alone],
        own: &Value,
        federation: &Federation,
    ) -> Result<Option<(Gathered, bool)>, ResponseError> {
        let mut told = Vec::with_capacity(self.asked.len());
        let (mut is_needed, mut by_words) = (false, true);
        for (place, (query, alone)) in self.asked.iter().zip(alone).enumerate() {
            let Some([both, _]) = query.search.halves() else {
                let hybrid = query.query.hybrid.as_ref();
                by_words &= hybrid.is_none_or(|hybrid| hybrid.semantic_ratio.get() == 0.0);
                told.push(query.search.plain());
                continue;
            };
            let enough = words_are_enough(alone, place, self.spec).unwrap_or_default();
            is_needed = true;
            by_words &= enough;
            told.push(if enough { query.search.by_words() } else { both });
        }
        if !is_needed {
            return Ok(None);
        }
        let mut own = own.clone();
        let size = if own["page"].is_null() { "limit" } else { "hitsPerPage" };
        // A node that is asked for no hits is content with none.
        own[size] = json!(1);
        let request = |target: &Target| {
            let queries = self.asked.iter().zip(&told);
            let queries: Vec<Value> = queries
                .map(|(query, search)| query.json_among(search, federation, target.filter.as_deref()))
                .collect();
            let body = json!({ "federation": own, "queries": queries });
            NodeRequest::query(Uri::from_static("/multi-search"), body.to_string())
        };
        let gathered = gather(self.gateway, self.scope, self.terms, self.asked.len() > 1, request).await?;
        Ok(Some((gathered, by_words)))
    }

    async fn one(&self, place: usize) -> Result<(Alone, Vec<ShardId>), ResponseError> {
        let Some(query) = self.asked.get(place) else { return Ok(Default::default()) };
        let limit = most_hits(self.spec.paging);
        if let Some([both, words]) = query.search.halves() {
            let (answers, by_words) =
                tokio::try_join!(self.gather(query, &both, limit), self.gather(query, &words, limit))?;
            let alone = Alone { answers: answers.answers, by_words: by_words.answers, limit, grouped: true };
            return Ok((alone, [answers.missing, by_words.missing].concat()));
        }
        let mut asked = self.alone(query, &query.search, (limit, true)).await?;
        let mut limits = ungrouped_limits(limit).into_iter();
        while is_in_doubt(&asked.0, place, self.spec).unwrap_or_default()
            && let Some(limit) = limits.next()
        {
            asked = self.alone(query, &query.search.ungrouped(limit), (limit, false)).await?;
        }
        Ok(asked)
    }

    async fn alone(
        &self,
        query: &Asked,
        search: &AskedSearch,
        (limit, grouped): (usize, bool),
    ) -> Result<(Alone, Vec<ShardId>), ResponseError> {
        let Gathered { answers, missing, .. } = self.gather(query, search, limit).await?;
        Ok((Alone { answers, by_words: Vec::new(), limit, grouped }, missing))
    }

    async fn gather(
        &self,
        query: &Asked,
        search: &AskedSearch,
        limit: usize,
    ) -> Result<Gathered, ResponseError> {
        let request = |target: &Target| {
            let query = query.json_of(search, target.filter.as_deref());
            let body = json!({ "federation": { "limit": limit }, "queries": [query] });
            NodeRequest::query(Uri::from_static("/multi-search"), body.to_string())
        };
        gather(self.gateway, self.scope, self.terms, self.asked.len() > 1, request).await
    }
}
