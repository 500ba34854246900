//! Federated searches of which nodes are asked every query by itself, as [what they answer to all](super) does not tell which hits
//! come first.
//!
//! That is so where a query groups its hits and another one is in the same index, and where nodes leave out documents
//! for others that are left out themselves: see [`hits_in_doubt`]. Whether the words of a hybrid query are enough is a question
//! about the hits of all nodes, too.

use bytes::Bytes;
use futures_util::future::try_join_all;
use http::Uri;
use miroir_merge::{Alone, FederatedSpec, Paging, is_in_doubt};
use miroir_nodes::NodeRequest;
use miroir_protocol::error::ResponseError;
use miroir_shard::ShardId;
use serde_json::json;

use super::{
    super::{
        asked::AskedSearch,
        scatter::{Gathered, Terms},
        survey::MOST,
        targets::{Scope, Target},
    },
    gather, hits_in_doubt, most_hits,
    query::Asked,
};
use crate::state::Gateway;

/// How many times as many hits are asked for where documents are not grouped, and how many more.
const UNGROUPED: (usize, usize) = (4, 100);

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
            || hits_in_doubt(answers, self.spec).unwrap_or_default()
    }

    /// Whether a query groups its hits apart from those of others in the same index.
    fn shares(&self, query: &Asked) -> bool {
        let others = self.asked.iter().filter(|other| other.index.uid == query.index.uid);
        self.spec.distinct.is_none() && query.search.spec.distinct.is_some() && others.count() > 1
    }

    /// Asks them, and tells which shards are missing.
    pub(super) async fn ask(&self) -> Result<(Vec<Alone>, Vec<ShardId>), ResponseError> {
        let all = try_join_all((0..self.asked.len()).map(|place| self.one(place))).await?;
        let (alone, missing): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        Ok((alone, missing.into_iter().flatten().collect()))
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
        let (factor, more) = UNGROUPED;
        let mut limits = [limit.saturating_mul(factor).saturating_add(more), MOST].into_iter();
        while is_in_doubt(&asked.0, place, self.spec).unwrap_or_default()
            && let Some(limit) = limits.next()
        {
            asked = self.alone(query, &query.search.ungrouped(), (limit.min(MOST), false)).await?;
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
