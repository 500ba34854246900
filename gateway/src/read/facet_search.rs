//! A search in the values of a facet.

use bytes::Bytes;
use http::Uri;
use miroir_log::IndexRecord;
use miroir_merge::{FacetSearchSpec, merge_facet_search};
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    error::{Code, ResponseError},
    search::FacetSearchQuery,
};
use miroir_shard::is_internal;

use super::{
    documents::merge_failed,
    facets::facet_spec,
    filter::narrowed,
    pins::slots_of_filter,
    reserved::guarded_filter,
    scatter::{Terms, scatter},
    search::{found, hidden_in, missing_member},
    targets::{Scope, Target, turn},
};
use crate::{answer::Answer, state::Gateway};

/// What nodes are asked about in place of the internal field: an attribute that no document has, so that they answer as
/// if the field were not there.
const NOBODYS_FACET: &str = "_miroir.-";

/// Answers a facet search in one index.
pub(crate) async fn facet_search(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &FacetSearchQuery,
    terms: Terms,
) -> Answer {
    let path: Uri = format!("/indexes/{}/facet-search", index.uid)
        .parse()
        .map_err(|_| ResponseError::new(Code::Internal, "The index uid cannot be put into a request."))?;
    let slots = slots_of_filter(query.filter.as_ref(), index.primary_key.as_deref());
    let gathered = scatter(
        gateway,
        &Scope { indexes: vec![&index.uid], slots, turn: turn(&index.uid) },
        terms,
        |target: &Target| NodeRequest::query(path.clone(), body(query, target.filter.as_deref())),
    )
    .await
    .map_err(|error| hidden_in(named_as_asked(error, &query.facet_name), &index.settings))?;
    let facets = facet_spec(&index.settings);
    let spec = FacetSearchSpec {
        facet_query: query.facet_query.clone(),
        max_values: facets.max_values,
        order: facets.order_of(&query.facet_name),
        extra: missing_member(&gathered.missing).into_iter().collect(),
    };
    let merged = merge_facet_search(&gathered.answers, &spec).map_err(|error| merge_failed(&error))?;
    Ok(found(merged, &gathered.missing))
}

/// What a node is asked.
fn body(client: &FacetSearchQuery, node_filter: Option<&str>) -> Bytes {
    let filter = client.filter.as_ref().map(guarded_filter);
    let mut query = FacetSearchQuery { filter: narrowed(filter.as_ref(), node_filter), ..client.clone() };
    if is_internal(&query.facet_name) {
        NOBODYS_FACET.clone_into(&mut query.facet_name);
    }
    serde_json::to_vec(&query).expect("a query that was JSON is JSON").into()
}

/// A node's error about the facet it was asked for, about the one that the client named.
fn named_as_asked(error: ResponseError, facet: &str) -> ResponseError {
    if !is_internal(facet) {
        return error;
    }
    error.map_message(|message| message.replace(&format!("`{NOBODYS_FACET}`"), &format!("`{facet}`")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(body_sent: &Value, node_filter: Option<&str>) -> Value {
        let query = FacetSearchQuery::from_json(body_sent.to_string().as_bytes()).expect("good");
        serde_json::from_slice(&body(&query, node_filter)).expect("JSON")
    }

    #[test]
    fn nodes_are_asked_what_the_client_asks_within_their_shards() {
        let client = json!({"facetName": "genre", "facetQuery": "co", "filter": "a = 1", "exhaustiveFacetCount": true});
        let asked = asked(&client, Some("s"));
        assert_eq!(asked["facetName"], "genre");
        assert_eq!(asked["facetQuery"], "co");
        assert_eq!(asked["filter"], json!(["s", "a = 1"]));
        assert_eq!(asked["exhaustiveFacetCount"], true);
    }

    #[test]
    fn the_internal_field_is_an_attribute_like_any_that_is_not_there() {
        for name in ["_miroir", "_miroir.s", "_miroir.n"] {
            assert_eq!(asked(&json!({"facetName": name}), None)["facetName"], "_miroir.-");
        }
        assert_eq!(asked(&json!({"facetName": "_miroirs"}), None)["facetName"], "_miroirs");
        let error = ResponseError::new(
            Code::InvalidFacetSearchFacetName,
            "Attribute `_miroir.-` is not facet-searchable. Available are: `a, b`.",
        );
        let error = named_as_asked(error, "_miroir.s");
        assert_eq!(error.message(), "Attribute `_miroir.s` is not facet-searchable. Available are: `a, b`.");
    }
}
