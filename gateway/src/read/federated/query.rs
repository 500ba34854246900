//! The queries of a federated search, and what nodes are asked for each.

use std::sync::Arc;

use miroir_log::IndexRecord;
use miroir_merge::FederatedQuery;
use miroir_protocol::{
    error::ResponseError,
    features,
    network::Network,
    search::{Federation, FederationOptions, IndexQuery, SearchQuery, inside_query},
};
use serde_json::{Value, json};

use super::super::{
    asked::{AskedSearch, PAGING},
    facets::named_facets,
    grouped::Part,
    multi_search::index_of_query,
    remotes,
    search::metadata,
};
use crate::state::Gateway;

/// One query, and what nodes are asked for it.
pub(super) struct Asked {
    pub(super) index: Arc<IndexRecord>,
    /// As the client asks.
    pub(super) query: SearchQuery,
    pub(super) search: AskedSearch,
    options: Option<FederationOptions>,
}

impl Asked {
    pub(super) fn all(
        gateway: &Gateway,
        queries: Vec<IndexQuery>,
        federation: &Federation,
        network: Option<&Network>,
    ) -> Result<Vec<Self>, ResponseError> {
        let queries = queries.into_iter().enumerate();
        let asked = queries.map(|(place, query)| {
            let asked = Self::of(gateway, query, federation, network);
            asked.map_err(|error| inside_query(place, error))
        });
        asked.collect()
    }

    fn of(
        gateway: &Gateway,
        query: IndexQuery,
        federation: &Federation,
        network: Option<&Network>,
    ) -> Result<Self, ResponseError> {
        let (uid, mut query, mut options) = query.into_search();
        query.check_semantic()?;
        let index = index_of_query(gateway, &uid)?;
        if let Some(options) = &mut options {
            if let (Some(remote), Some(network)) = (options.remote.take(), network) {
                remotes::check(gateway, &remote, network)?;
            }
            if options.query_position.is_some() {
                return Err(features::NETWORK.needed_for("Using `federationOptions.queryPosition`"));
            }
        }
        if federation.distinct.is_some() {
            query.distinct.clone_from(&federation.distinct);
        }
        let search = AskedSearch::with_facets(&index, &query, &counted(federation, &index));
        Ok(Self { index, query, search, options })
    }

    /// The query for a node that is asked all of them.
    pub(super) fn json(&self, federation: &Federation, filter: Option<&str>) -> Value {
        self.json_among(&self.search, federation, filter)
    }

    /// The same with `search` in place of its own.
    pub(super) fn json_among(
        &self,
        search: &AskedSearch,
        federation: &Federation,
        filter: Option<&str>,
    ) -> Value {
        let mut query = self.json_of(search, filter);
        if let (Some(members), Some(_)) = (query.as_object_mut(), &federation.distinct) {
            members.remove("distinct");
        }
        query
    }

    /// The query for a node that is asked it alone, with `search` in place of its own.
    pub(super) fn json_of(&self, search: &AskedSearch, filter: Option<&str>) -> Value {
        let mut query = json!(search.query(filter));
        if let Some(members) = query.as_object_mut() {
            members.retain(|name, _| !PAGING.contains(&name.as_str()));
            members.insert("indexUid".to_owned(), Value::from(self.index.uid.as_str()));
            if let Some(options) = &self.options {
                members.insert("federationOptions".to_owned(), json!(options));
            }
        }
        query
    }

    /// What the answer says of it, and of the server that is asked, where that is named.
    pub(super) fn metadata(&self, remote: Option<&str>) -> Value {
        let mut metadata = metadata(&self.index, self.query.q.as_deref());
        if let Some(remote) = remote {
            metadata["remote"] = json!(remote);
        }
        metadata
    }

    pub(super) fn part(&self) -> Part<'_> {
        Part { index: &self.index, query: &self.query, search: &self.search }
    }

    pub(super) fn merged(&self) -> FederatedQuery {
        FederatedQuery { index: self.index.uid.clone(), search: self.search.spec.clone() }
    }
}

/// The attributes that are counted in an index, as far as they are named.
pub(super) fn counted(federation: &Federation, index: &IndexRecord) -> Vec<String> {
    let facets = federation.facets_by_index.iter().find(|(uid, _)| uid.as_str() == index.uid);
    facets.and_then(|(_, facets)| facets.as_ref()).map_or_else(Vec::new, |facets| {
        let named = named_facets(facets, &index.settings);
        named.into_iter().filter(|name| !name.contains('*')).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{federation, request},
        *,
    };

    fn asked(query: Value) -> Asked {
        let mut request = request(&json!({"federation": {}, "queries": [query]}));
        let (uid, query, options) = request.queries.remove(0).into_search();
        let index = IndexRecord {
            uid: uid.as_str().to_owned(),
            primary_key: Some("id".to_owned()),
            created_at: time::OffsetDateTime::UNIX_EPOCH,
            updated_at: time::OffsetDateTime::UNIX_EPOCH,
            settings: json!({}),
        };
        Asked { search: AskedSearch::of(&index, &query), query, index: Arc::new(index), options }
    }

    #[test]
    fn queries_leave_paging_to_the_federation() {
        let query = asked(
            json!({"indexUid": "films", "q": "war", "filter": "a = 1", "federationOptions": {"weight": 0.5}}),
        );
        let json = query.json(&federation(&json!({})), Some("s"));
        assert_eq!((&json["indexUid"], &json["q"]), (&json!("films"), &json!("war")));
        assert_eq!(json["filter"], json!(["s", "a = 1"]));
        assert_eq!(json["federationOptions"]["weight"], 0.5);
        assert_eq!(json["showRankingScoreDetails"], true);
        assert!(PAGING.iter().all(|name| json.get(name).is_none()));
        assert_eq!(query.merged().index, "films");
    }

    #[test]
    fn distinct_is_asked_of_the_whole() {
        let query = asked(json!({"indexUid": "films", "distinct": "maker"}));
        let of_query = query.json(&federation(&json!({})), None);
        assert_eq!(of_query["distinct"], "maker");
        let of_all = query.json(&federation(&json!({"distinct": "maker"})), None);
        assert!(of_all.get("distinct").is_none());
    }
}
