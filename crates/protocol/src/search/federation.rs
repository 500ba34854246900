//! Several searches in one request, each with its own answer or all with one.

use std::{collections::BTreeMap, fmt};

use deserr::Deserr;
use serde::Serialize;

use super::{IndexQuery, Personalize, query::defaults};
use crate::{
    error::{Code, ResponseError, marker},
    index_uid::IndexUid,
    parse::{self, JsonRefusal, ValueError},
};

/// The body of `POST /multi-search`.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct MultiSearch {
    /// The searches.
    pub queries: Vec<IndexQuery>,
    /// How their hits become one list; each has its own list when `None`.
    #[deserr(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub federation: Option<Federation>,
}

/// How hits of several searches become one list.
#[derive(Debug, Clone, PartialEq, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct Federation {
    /// How many hits at most.
    #[deserr(default = defaults::LIMIT, error = JsonRefusal<marker::InvalidSearchLimit>)]
    pub limit: usize,
    /// How many hits to leave out first.
    #[deserr(default = defaults::OFFSET, error = JsonRefusal<marker::InvalidSearchOffset>)]
    pub offset: usize,
    /// Which page, from 1.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchPage>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<usize>,
    /// How many hits a page has.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchHitsPerPage>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits_per_page: Option<usize>,
    /// Attributes whose values are counted, by index.
    #[deserr(default, error = JsonRefusal<marker::InvalidMultiSearchFacetsByIndex>)]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub facets_by_index: BTreeMap<IndexUid, Option<Vec<String>>>,
    /// Whether counts of all indexes become one.
    #[deserr(default, error = JsonRefusal<marker::InvalidMultiSearchMergeFacets>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_facets: Option<MergeFacets>,
    /// The attribute of which each value shows once.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchDistinct>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<String>,
    /// Whether the answer says where the time went.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchShowPerformanceDetails>)]
    pub show_performance_details: bool,
    /// Results fitted to a user.
    #[deserr(default, error = JsonRefusal<marker::InvalidSearchPersonalize>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personalize: Option<Personalize>,
}

/// How counts of several indexes become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserr, Serialize)]
#[deserr(error = JsonRefusal<marker::InvalidMultiSearchMergeFacets>, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct MergeFacets {
    /// How many values at most.
    #[deserr(default, error = JsonRefusal<marker::InvalidMultiSearchMaxValuesPerFacet>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_values_per_facet: Option<usize>,
}

/// How a query counts in a federated search.
#[derive(Debug, Clone, PartialEq, Default, Deserr, Serialize)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub struct FederationOptions {
    /// What its scores are multiplied by.
    #[deserr(default, error = JsonRefusal<marker::InvalidMultiSearchWeight>)]
    pub weight: Weight,
    /// The remote of Meilisearch's own network to ask.
    #[deserr(default, error = JsonRefusal<marker::InvalidMultiSearchRemote>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The position it is said to have.
    #[deserr(default, error = JsonRefusal<marker::InvalidMultiSearchQueryPosition>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_position: Option<usize>,
}

/// What scores are multiplied by: 0 or more, 1 by default.
#[derive(Debug, Clone, Copy, PartialEq, Deserr, Serialize)]
#[deserr(try_from(f64) = Weight::try_from -> NegativeWeight)]
#[serde(transparent)]
pub struct Weight(f64);

/// A weight below 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegativeWeight(());

// === impl MultiSearch ===

impl MultiSearch {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }

    /// Checks which parameters go with federation and which without, query by query, as it is done when the queries'
    /// turn comes.
    pub fn check(&self) -> Result<(), ResponseError> {
        for (position, query) in self.queries.iter().enumerate() {
            let checked = match &self.federation {
                Some(federation) => query.check_federated(federation),
                None if query.federation_options.is_some() => Err(ResponseError::new(
                    Code::InvalidMultiSearchFederationOptions,
                    "Using `federationOptions` is not allowed in a non-federated search.\n - Hint: remove \
                     `federationOptions` from the query or add `federation` to the request.",
                )),
                None => Ok(()),
            };
            checked.map_err(|error| inside_query(position, error))?;
        }
        Ok(())
    }
}

/// The error of one query, which says which one.
pub fn inside_query(position: usize, error: ResponseError) -> ResponseError {
    error.map_message(|message| format!("Inside `.queries[{position}]`: {message}"))
}

impl IndexQuery {
    /// The first parameter that asks for a part of the hits, which only the federation can.
    fn paging_parameter(&self) -> Option<&'static str> {
        let parameters = [
            ("offset", self.offset),
            ("limit", self.limit),
            ("page", self.page),
            ("hitsPerPage", self.hits_per_page),
        ];
        parameters.into_iter().find(|(_, value)| value.is_some()).map(|(name, _)| name)
    }

    fn check_federated(&self, federation: &Federation) -> Result<(), ResponseError> {
        if let Some(name) = self.paging_parameter() {
            let message = format!(
                "Using pagination options is not allowed in federated queries.\n - Hint: remove `{name}` from the \
                 query or remove `federation` from the request\n - Hint: pass `federation.limit` and \
                 `federation.offset` for pagination in federated search"
            );
            return Err(ResponseError::new(Code::InvalidMultiSearchQueryPagination, message));
        }
        if let Some(facets) = self.facets.as_ref().filter(|facets| !facets.is_empty()) {
            let message = format!(
                "Using facet options is not allowed in federated queries.\n - Hint: remove `facets` from the query \
                 or remove `federation` from the request\n - Hint: pass `federation.facetsByIndex.{}: {facets:?}` \
                 for facets in federated search",
                self.index_uid
            );
            return Err(ResponseError::new(Code::InvalidMultiSearchQueryFacets, message));
        }
        if self.personalize.is_some() {
            let message = "Using `.personalize` is not allowed in federated queries.\n - Hint: remove `personalize` \
                           from the query or remove `federation` from the request\n - Hint: pass \
                           `federation.personalize` for personalization in federated search";
            return Err(ResponseError::new(Code::InvalidMultiSearchQueryPersonalization, message));
        }
        if self.show_performance_details.is_some() {
            let message = "Using `.showPerformanceDetails` is not allowed in federated queries.\n - Hint: remove \
                           `showPerformanceDetails` from the query or remove `federation` from the request";
            return Err(ResponseError::new(Code::InvalidMultiSearchQueryShowPerformanceDetails, message));
        }
        if self.distinct.is_some() && federation.distinct.is_some() {
            let message = "Using `distinct` options is not allowed in federated queries when it also appears in \
                           `.federation.distinct`.\n - Hint: remove `distinct` from the query or remove `federation` \
                           from the request\n  - Note: `distinct` at the query level is discouraged in federated \
                           search.";
            return Err(ResponseError::new(Code::InvalidMultiSearchDistinct, message));
        }
        Ok(())
    }
}

// === impl Weight ===

impl Weight {
    /// The weight.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for Weight {
    type Error = NegativeWeight;

    fn try_from(weight: f64) -> Result<Self, NegativeWeight> {
        if weight < 0.0 { Err(NegativeWeight(())) } else { Ok(Self(weight)) }
    }
}

impl fmt::Display for NegativeWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of `weight` is invalid, expected a positive float (>= 0.0).")
    }
}

impl ValueError for NegativeWeight {}

#[cfg(test)]
mod tests {
    use super::MultiSearch;

    fn refused(body: &str) -> (String, String) {
        let checked = MultiSearch::from_json(body.as_bytes()).and_then(|search| search.check());
        let error = checked.expect_err(body);
        (error.code_name().to_owned(), error.message().to_owned())
    }

    #[test]
    fn queries_keep_what_a_search_has() {
        let body = br#"{"queries":[{"indexUid":"a","q":"x","limit":3,"filter":"y = 1"}]}"#;
        let mut search = MultiSearch::from_json(body).expect("good");
        let (uid, query, options) = search.queries.remove(0).into_search();
        assert_eq!((uid.as_str(), query.q.as_deref(), query.limit, query.offset), ("a", Some("x"), 3, 0));
        assert!(options.is_none());
    }

    #[test]
    fn federation_options_need_a_federation() {
        let (code, message) =
            refused(r#"{"queries":[{"indexUid":"a"},{"indexUid":"a","federationOptions":{}}]}"#);
        assert_eq!(code, "invalid_multi_search_federation_options");
        assert!(
            message.starts_with("Inside `.queries[1]`: Using `federationOptions` is not allowed"),
            "{message}"
        );
    }

    #[test]
    fn what_belongs_to_the_federation_is_refused_in_its_queries() {
        let expected = [
            (r#""page":1"#, "invalid_multi_search_query_pagination"),
            (r#""facets":["b"]"#, "invalid_multi_search_query_facets"),
            (r#""personalize":{"userContext":"u"}"#, "invalid_multi_search_query_personalization"),
            (r#""showPerformanceDetails":false"#, "invalid_multi_search_query_show_performance_details"),
            (r#""distinct":"b""#, "invalid_multi_search_distinct"),
        ];
        for (parameter, code) in expected {
            let body =
                format!(r#"{{"federation":{{"distinct":"d"}},"queries":[{{"indexUid":"a",{parameter}}}]}}"#);
            assert_eq!(refused(&body).0, code);
        }
    }

    #[test]
    fn facets_are_shown_where_they_belong() {
        let (_, message) = refused(r#"{"federation":{},"queries":[{"indexUid":"a","facets":["b","c"]}]}"#);
        assert!(message.contains(r#"pass `federation.facetsByIndex.a: ["b", "c"]` for facets"#), "{message}");
    }

    #[test]
    fn weights_are_not_negative() {
        let (code, message) = refused(r#"{"queries":[{"indexUid":"a","federationOptions":{"weight":-1}}]}"#);
        assert_eq!(code, "invalid_multi_search_weight");
        let expected = "Invalid value at `.queries[0].federationOptions.weight`: the value of `weight` is invalid, \
                        expected a positive float (>= 0.0).";
        assert_eq!(message, expected);
    }
}
