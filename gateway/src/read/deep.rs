//! Pages that begin far behind the first hit, or the first document of a listing.
//!
//! Every node is asked for all of its hits up to the end of the page, as for any page, but with no more of each than what it
//! is ordered by. Then those that hold something of the page are asked for that. Where they do not answer what was
//! found before, as something was written or moved in between, everything is asked in the usual way.

use bytes::Bytes;
use futures_util::future::join_all;
use http::Uri;
use miroir_merge::{DocumentsSpec, SearchSpec, SortKey, Stretch, locate_documents, locate_hits};
use miroir_nodes::NodeRequest;
use miroir_protocol::{documents::BrowseQuery, error::ResponseError, search::SearchQuery};
use miroir_shard::{SEQUENCE_FIELD, ShardId};
use serde::Serialize;

use super::{
    asked::AskedSearch,
    documents::merge_failed,
    ranks,
    scatter::{Gathered, Terms, ask_any, scatter},
    search::Question,
    targets::{Scope, Target},
};
use crate::state::Gateway;

/// How many hits lie before a page that is far: asking twice costs more than it spares where there are fewer.
const FAR: usize = 500;

/// A page, and the shards that are not in it.
pub(super) type Page = (Vec<u8>, Vec<ShardId>);

/// The answer to a search whose page is far; `None` where it has to be asked in the usual way.
pub(super) async fn hits(
    question: &Question<'_>,
    scope: &Scope<'_>,
    asked: &AskedSearch,
) -> Result<Option<Page>, ResponseError> {
    if !has_far_page(asked) {
        return Ok(None);
    }
    let Question { gateway, terms, path, .. } = question;
    let places = |target: &Target| request(path, &places_of_hits(asked.query(target.filter.as_deref())));
    let gathered = scatter(gateway, scope, *terms, places).await?;
    if asked.tells_too_little(&gathered.answers) {
        return Ok(None);
    }
    let located = locate_hits(&gathered.answers, &asked.spec).map_err(|error| merge_failed(&error))?;
    let Some(located) = located else { return Ok(None) };
    let stretch = |target: &Target, stretch: Stretch| {
        request(path, &stretch_of_hits(asked.query(target.filter.as_deref()), stretch, &asked.spec))
    };
    let Some(pages) = pages(&gathered, located.stretches(), *terms, stretch).await else { return Ok(None) };
    let mut spec = asked.spec.clone();
    spec.facet_ranks = ranks::needed(question, &gathered.answers, &spec).await;
    question.complete(&mut spec, &gathered.missing)?;
    let merged = located.merge(&pages, &spec).map_err(|error| merge_failed(&error))?;
    Ok(merged.map(|merged| (merged, gathered.missing)))
}

/// A listing that begins far behind the first document; `None` where it has to be asked in the usual way. `asked` makes of a
/// node's own filter what the node is asked for the listing up to its end.
pub(super) async fn documents(
    gateway: &Gateway,
    scope: &Scope<'_>,
    terms: Terms,
    path: &Uri,
    asked: impl Fn(Option<&str>) -> BrowseQuery + Send + Sync,
    spec: &DocumentsSpec,
) -> Result<Option<Page>, ResponseError> {
    if spec.offset < FAR || spec.limit == 0 {
        return Ok(None);
    }
    let places = |target: &Target| {
        let query = asked(target.filter.as_deref());
        request(path, &places_of_documents(query, &spec.sort))
    };
    let gathered = scatter(gateway, scope, terms, places).await?;
    let located = locate_documents(&gathered.answers, spec).map_err(|error| merge_failed(&error))?;
    let Some(located) = located else { return Ok(None) };
    let stretch = |target: &Target, stretch: Stretch| {
        let query = asked(target.filter.as_deref());
        request(path, &BrowseQuery { offset: stretch.skip, limit: stretch.take, ..query })
    };
    let Some(pages) = pages(&gathered, located.stretches(), terms, stretch).await else { return Ok(None) };
    let merged = located.merge(&pages, spec).map_err(|error| merge_failed(&error))?;
    Ok(merged.map(|merged| (merged, gathered.missing)))
}

/// Asks each node for what it holds of the page; `None` where one does not answer.
async fn pages(
    gathered: &Gathered,
    stretches: &[Stretch],
    terms: Terms,
    request: impl Fn(&Target, Stretch) -> NodeRequest,
) -> Option<Vec<Bytes>> {
    let asks = gathered.targets.iter().zip(stretches).map(|(target, stretch)| {
        let request = (stretch.take > 0).then(|| request(target, *stretch));
        async move {
            match request {
                None => Some(Bytes::new()),
                Some(request) => ask_any(vec![target.clone()], &request, terms.deadline).await.ok()?,
            }
        }
    });
    join_all(asks).await.into_iter().collect()
}

/// Whether a search's page is far, and asking for it takes more than asking for the places of its hits. Under `distinct`, what
/// is told of all hits depends on their values; vectors find few hits; pinned hits have no place among the others.
fn has_far_page(asked: &AskedSearch) -> bool {
    let spec = &asked.spec;
    let is_plain = spec.distinct.is_none() && spec.semantic_ratio.is_none() && !spec.pinned;
    is_plain && spec.first_hit().is_some_and(|first| first >= FAR) && !is_small(&asked.query(None))
}

/// Whether hits are hardly more than their places.
fn is_small(query: &SearchQuery) -> bool {
    query.attributes_to_retrieve.as_ref().is_some_and(|names| names.len() <= 2)
        && query.attributes_to_highlight.is_none()
        && query.attributes_to_crop.is_none()
        && !query.show_matches_position
        && !query.retrieve_vectors
}

/// What hits are ordered by, in place of hits.
fn places_of_hits(query: SearchQuery) -> SearchQuery {
    SearchQuery {
        attributes_to_retrieve: Some([SEQUENCE_FIELD.to_owned()].into()),
        attributes_to_highlight: None,
        attributes_to_crop: None,
        show_matches_position: false,
        show_ranking_score: false,
        retrieve_vectors: false,
        ..query
    }
}

/// Some hits, and nothing that is told of all.
fn stretch_of_hits(query: SearchQuery, stretch: Stretch, spec: &SearchSpec) -> SearchQuery {
    SearchQuery {
        offset: stretch.skip,
        limit: stretch.take,
        page: None,
        hits_per_page: None,
        facets: None,
        show_ranking_score_details: spec.show_ranking_score_details,
        ..query
    }
}

/// What documents are ordered by, in place of documents.
fn places_of_documents(query: BrowseQuery, sort: &[SortKey]) -> BrowseQuery {
    let sorted_by = sort.iter().map(|key| match key {
        SortKey::Field { attribute, .. } => attribute.clone(),
        SortKey::Geo { .. } => "_geo".to_owned(),
    });
    let fields = sorted_by.chain([SEQUENCE_FIELD.to_owned()]).collect();
    BrowseQuery { fields: Some(fields), retrieve_vectors: false, ..query }
}

fn request(path: &Uri, query: &impl Serialize) -> NodeRequest {
    NodeRequest::query(path.clone(), serde_json::to_vec(query).expect("a query that was JSON is JSON"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn search(body: Value) -> SearchQuery {
        SearchQuery::from_json(body.to_string().as_bytes()).expect("good")
    }

    #[test]
    fn places_are_asked_for_without_anything_that_is_shown() {
        let query = search(json!({
            "q": "x", "page": 1, "hitsPerPage": 900, "facets": ["a"], "showRankingScoreDetails": true,
            "attributesToHighlight": ["*"], "attributesToCrop": ["b"], "showMatchesPosition": true,
        }));
        let places = json!(places_of_hits(query.clone()));
        assert_eq!(places["attributesToRetrieve"], json!([SEQUENCE_FIELD]));
        assert_eq!((&places["hitsPerPage"], &places["facets"]), (&json!(900), &json!(["a"])));
        assert_eq!(places["showRankingScoreDetails"], true);
        assert!(places.get("attributesToHighlight").is_none_or(Value::is_null));
        let stretch = Stretch { skip: 300, take: 7 };
        let stretch = json!(stretch_of_hits(query, stretch, &SearchSpec::default()));
        assert_eq!((&stretch["offset"], &stretch["limit"]), (&json!(300), &json!(7)));
        assert_eq!(stretch["attributesToHighlight"], json!(["*"]));
        assert!(stretch.get("hitsPerPage").is_none_or(Value::is_null));
        assert!(stretch.get("facets").is_none_or(Value::is_null));
    }

    #[test]
    fn hits_that_are_hardly_more_than_their_places_are_asked_for_at_once() {
        assert!(is_small(&search(json!({"attributesToRetrieve": ["id", SEQUENCE_FIELD]}))));
        assert!(!is_small(&search(json!({}))));
        assert!(!is_small(&search(json!({"attributesToRetrieve": ["id"], "attributesToHighlight": ["*"]}))));
    }

    #[test]
    fn documents_are_placed_by_what_sorts_them() {
        let query = BrowseQuery::from_json(br#"{"offset": 700}"#).expect("good");
        let sort = [SortKey::parse("year:asc"), SortKey::parse("_geoPoint(1, 2):asc")];
        let sort: Vec<SortKey> = sort.into_iter().flatten().collect();
        let fields = places_of_documents(query, &sort).fields.unwrap_or_default();
        assert_eq!(fields, ["year", "_geo", SEQUENCE_FIELD]);
    }
}
