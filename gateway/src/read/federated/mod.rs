//! Several searches whose hits become one list. A node is asked all of them at once, so that it counts a document that
//! two of them find once.

mod alone;
mod query;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Uri;
use miroir_merge::{
    FacetOrder, FederatedSpec, MergedFacets, Paging, SearchSpec, hits_in_doubt, listed_facets_of,
    merge_federated,
};
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    error::{Code, ResponseError},
    features,
    search::{Federation, IndexQuery, inside_query},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use self::{
    alone::Singly,
    query::{Asked, counted},
};
use super::{
    documents::merge_failed,
    facets::{facet_spec, named_facets},
    grouped::{self, Part},
    remotes,
    reserved::renamed,
    scatter::{Gathered, Terms, scatter},
    search::{elapsed_ms, found, hidden_in, missing_member, new_request_uid, performance_details},
    targets::{Scope, Target, turn},
    unequal::{or_as_written, told_apart},
};
use crate::{answer::Answer, state::Gateway};

/// How many hits a page has where it is not said.
const HITS_PER_PAGE: usize = 20;

/// Answers all searches with one list of hits.
pub(super) async fn federated(
    gateway: &Gateway,
    queries: Vec<IndexQuery>,
    federation: &Federation,
    terms: Terms,
) -> Answer {
    let mut apart = None::<Vec<IndexQuery>>;
    for (place, query) in queries.iter().enumerate() {
        let Ok(index) = gateway.index(query.index_uid.as_str()) else { continue };
        let filter = told_apart(gateway, &index, query.filter.as_ref(), terms).await;
        if let Some(filter) = filter
            && let Some(query) = apart.get_or_insert_with(|| queries.clone()).get_mut(place)
        {
            query.filter = Some(filter);
        }
    }
    // Boxed, so that what waits for it is not as large as all that it asks.
    let ask = |queries| Box::pin(federated_as_asked(gateway, queries, federation, terms));
    let Some(apart) = apart else { return ask(queries).await };
    let answer = ask(apart).await;
    or_as_written(answer, || ask(queries)).await
}

async fn federated_as_asked(
    gateway: &Gateway,
    queries: Vec<IndexQuery>,
    federation: &Federation,
    terms: Terms,
) -> Answer {
    let start = Instant::now();
    let network = remotes::named_in(gateway, &queries).await?;
    let asked = Asked::all(gateway, queries, federation, network.as_ref())?;
    if federation.personalize.is_some() {
        return Err(features::PERSONALIZATION.needed_for("reranking search results"));
    }
    let paging = paging(federation);
    let own = federation_of_nodes(gateway, federation, paging);
    let indexes: Vec<&str> = asked.iter().map(|query| query.index.uid.as_str()).collect();
    let scope = Scope { turn: turn(&indexes), indexes, slots: None };
    let request = |target: &Target| {
        let body = body(&own, &asked, federation, target.filter.as_deref());
        NodeRequest::query(Uri::from_static("/multi-search"), body)
    };
    let gathered = gather(gateway, &scope, terms, asked.len() > 1, request).await;
    let answers = gathered.as_ref().map_or(&[][..], |gathered| &gathered.answers);
    let refused =
        gathered.as_ref().err().and_then(|error| query_of(error, &asked)).map(|query| &*query.index.uid);
    check_orders(gateway, federation, &asked, (answers, refused))?;
    let mut gathered = gathered.map_err(|error| hidden_in_query(error, &asked))?;
    let mut spec = spec(&asked, federation, paging);
    let singly = Singly { gateway, asked: &asked, spec: &spec, scope: &scope, terms };
    if singly.are_needed(&gathered.answers) {
        let (alone, missing) = singly.ask().await.map_err(|error| hidden_in_query(error, &asked))?;
        let totals = singly.totals(&alone, &own, federation).await;
        spec.alone = alone;
        gathered.add_missing(missing);
        if let Some((totals, by_words)) = totals.map_err(|error| hidden_in_query(error, &asked))? {
            gathered.add_missing(totals.missing);
            gathered.answers = totals.answers;
            if by_words {
                spec.extra.push(("semanticHitCount".to_owned(), "0".to_owned()));
            }
        }
    }
    let parts: Vec<Part<'_>> = asked.iter().map(Asked::part).collect();
    grouped::count(gateway, &parts, federation, &mut spec, (terms, &gathered.answers)).await;
    if terms.include_metadata {
        let remote = network.as_ref().and_then(|network| network.local.as_deref());
        let all = asked.iter().map(|query| query.metadata(remote));
        spec.extra.push(("metadata".to_owned(), Value::from_iter(all).to_string()));
    }
    if federation.show_performance_details {
        spec.extra.push(performance_details(start));
    }
    if network.is_some() {
        spec.extra.push(("remoteErrors".to_owned(), json!({}).to_string()));
    }
    spec.extra.extend(missing_member(&gathered.missing));
    spec.remote = network.and_then(|network| network.local);
    spec.processing_time_ms = elapsed_ms(start);
    let merged = merge_federated(&gathered.answers, &spec).map_err(|error| merge_failed(&error))?;
    Ok(found(merged, &gathered.missing))
}

/// What is known before the nodes answer.
fn spec(asked: &[Asked], federation: &Federation, paging: Paging) -> FederatedSpec {
    let facets = asked.iter().map(|query| (query.index.uid.clone(), facet_spec(&query.index.settings)));
    let merge_facets = federation.merge_facets;
    FederatedSpec {
        paging,
        queries: asked.iter().map(Asked::merged).collect(),
        distinct: federation.distinct.clone(),
        facets: facets.collect(),
        merge_facets: merge_facets.map(|merged| MergedFacets { max_values: merged.max_values_per_facet }),
        request_uid: Some(new_request_uid()),
        ..FederatedSpec::default()
    }
}

/// Asks every node. Hits of several queries are compared by what nodes tell only those who merge; a node that has not been
/// told of the feature that this needs is asked without.
async fn gather(
    gateway: &Gateway,
    scope: &Scope<'_>,
    terms: Terms,
    several: bool,
    request: impl Fn(&Target) -> NodeRequest + Send + Sync,
) -> Result<Gathered, ResponseError> {
    if several {
        let gathered = scatter(gateway, scope, terms, |target| request(target).for_merge()).await;
        match gathered {
            Err(error) if error.code_name() == "feature_not_enabled" => {}
            gathered => return gathered,
        }
    }
    scatter(gateway, scope, terms, request).await
}

/// The query that a node's error is about.
fn query_of<'a>(error: &ResponseError, asked: &'a [Asked]) -> Option<&'a Asked> {
    let (place, _) = error.message().strip_prefix("Inside `.queries[")?.split_once(']')?;
    asked.get(place.parse::<usize>().ok()?)
}

/// A node's error, without the names of attributes that clients do not see in the index of the query that it is about.
fn hidden_in_query(error: ResponseError, asked: &[Asked]) -> ResponseError {
    match query_of(&error, asked) {
        Some(query) => hidden_in(error, &query.index.settings),
        None => error,
    }
}

/// Counts of one facet become one only where all indexes that know it order its values in the same way. Indexes are looked at in the
/// order of their names; one in which nodes refused a query only after those before it.
fn check_orders(
    gateway: &Gateway,
    federation: &Federation,
    asked: &[Asked],
    (answers, refused): (&[Bytes], Option<&str>),
) -> Result<(), ResponseError> {
    if federation.merge_facets.is_none() {
        return Ok(());
    }
    let listed = listed_facets_of(answers).map_err(|error| merge_failed(&error))?;
    let is_unknown = |uid: &str, facet: &str| listed.get(uid).is_some_and(|listed| !listed.contains(facet));
    let catalog = gateway.log.catalog();
    let mut orders: BTreeMap<String, (&str, FacetOrder)> = BTreeMap::new();
    for uid in federation.facets_by_index.keys() {
        let Some(index) = catalog.indexes.get(uid.as_str()) else { continue };
        let spec = facet_spec(&index.settings);
        let counted = counted(federation, index);
        for facet in counted.into_iter().filter(|facet| !is_unknown(uid.as_str(), facet)) {
            let order = spec.order_of(&facet);
            let (first, first_order) = *orders.entry(facet.clone()).or_insert((uid.as_str(), order));
            if first_order != order && refused.is_none_or(|refused| uid.as_str() <= refused) {
                let error = inconsistent(&facet, (first, first_order), (uid.as_str(), order));
                let place = asked.iter().position(|query| query.index.uid == uid.as_str());
                return Err(match place {
                    Some(place) => inside_query(place, error),
                    None => error.map_message(|message| {
                        format!("{message}\n - Note: index `{}` is not used in queries", uid.as_str())
                    }),
                });
            }
        }
    }
    Ok(())
}

fn inconsistent(facet: &str, first: (&str, FacetOrder), other: (&str, FacetOrder)) -> ResponseError {
    let says = |order| match order {
        FacetOrder::Name => "alphabetically",
        FacetOrder::Count => "by count",
    };
    let message = format!(
        "Inside `.federation.facetsByIndex.{uid}`: Inconsistent order for values in facet `{facet}`: index `{first}` orders \
         {first_order}, but index `{uid}` orders {order}.\n - Hint: Remove `federation.mergeFacets` or change \
         `faceting.sortFacetValuesBy` to be consistent in settings.",
        uid = other.0,
        first = first.0,
        first_order = says(first.1),
        order = says(other.1),
    );
    ResponseError::new(Code::InvalidMultiSearchFacetOrder, message)
}

fn paging(federation: &Federation) -> Paging {
    match (federation.page, federation.hits_per_page) {
        (None, None) => Paging::Window { offset: federation.offset, limit: federation.limit },
        (page, hits_per_page) => {
            Paging::Page { page: page.unwrap_or(1), hits_per_page: hits_per_page.unwrap_or(HITS_PER_PAGE) }
        }
    }
}

/// How many hits every node is asked for. Those that are left out count where no others are given: whether words are enough is
/// a question about them.
fn most_hits(paging: Paging) -> usize {
    let spec = SearchSpec { paging, ..SearchSpec::default() };
    spec.node_limit().max(spec.only_skipped())
}

/// The federation that every node is asked for: all hits up to the end of the page.
fn federation_of_nodes(gateway: &Gateway, client: &Federation, paging: Paging) -> Value {
    let needed = most_hits(paging);
    let mut own = match paging {
        Paging::Window { .. } => json!({ "offset": 0, "limit": needed }),
        Paging::Page { .. } => json!({ "page": 1, "hitsPerPage": needed }),
    };
    let catalog = gateway.log.catalog();
    let facets = client.facets_by_index.iter().map(|(uid, facets)| {
        let settings = catalog.indexes.get(uid.as_str()).map_or(&Value::Null, |index| &index.settings);
        let named = |facets: &Vec<String>| -> Vec<String> {
            named_facets(facets, settings).iter().map(|name| renamed(name)).collect()
        };
        (uid.as_str(), facets.as_ref().map(named))
    });
    let facets: BTreeMap<_, _> = facets.collect();
    if !facets.is_empty() {
        own["facetsByIndex"] = json!(facets);
    }
    if let Some(distinct) = &client.distinct {
        own["distinct"] = json!(renamed(distinct));
    }
    own
}

/// What a node is asked.
fn body(own: &Value, queries: &[Asked], client: &Federation, filter: Option<&str>) -> Bytes {
    let queries: Vec<Value> = queries.iter().map(|query| query.json(client, filter)).collect();
    json!({ "federation": own, "queries": queries }).to_string().into()
}

#[cfg(test)]
mod tests {
    use miroir_protocol::search::MultiSearch;

    use super::*;

    pub(super) fn request(body: &Value) -> MultiSearch {
        MultiSearch::from_json(body.to_string().as_bytes()).expect("good")
    }

    pub(super) fn federation(body: &Value) -> Federation {
        request(&json!({"federation": body, "queries": []})).federation.expect("one")
    }

    #[test]
    fn pages_count_from_one() {
        let paging_of = |body: Value| paging(&federation(&body));
        assert_eq!(paging_of(json!({})), Paging::Window { offset: 0, limit: 20 });
        assert_eq!(paging_of(json!({"hitsPerPage": 4})), Paging::Page { page: 1, hits_per_page: 4 });
        assert_eq!(paging_of(json!({"page": 3})), Paging::Page { page: 3, hits_per_page: 20 });
    }

    #[test]
    fn orders_that_do_not_agree_are_told() {
        let error = inconsistent("genre", ("books", FacetOrder::Count), ("films", FacetOrder::Name));
        assert_eq!(error.code_name(), "invalid_multi_search_facet_order");
        let says = "index `books` orders by count, but index `films` orders alphabetically.";
        assert!(error.message().contains(says), "{}", error.message());
    }
}
