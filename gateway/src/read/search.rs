//! One search: what each node is asked, and one answer of theirs.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Uri};
use miroir_filters::{Body, extensions::RequestId};
use miroir_log::IndexRecord;
use miroir_merge::{FacetOrder, FacetSpec, Paging, SearchSpec, merge_surveyed};
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    error::{Code, ResponseError},
    search::SearchQuery,
};
use miroir_shard::{SEQUENCE_FIELD, ShardId};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    documents::merge_failed,
    filter::narrowed,
    pins::slots_of_filter,
    reserved::guarded_search,
    scatter::{Gathered, Terms, scatter, shard_list},
    survey::{Groups, extra_facet, surveyed},
    targets::{Scope, Target, turn},
    visibility::{Displayed, is_within},
};
use crate::{
    answer::{Answer, json_bytes},
    state::Gateway,
};

/// `pagination.maxTotalHits` where it is not set.
const MAX_TOTAL_HITS: u64 = 1_000;
/// `faceting.maxValuesPerFacet` where it is not set.
const MAX_VALUES_PER_FACET: u64 = 100;

/// The merged answer to a search.
pub(super) struct Merged {
    /// Its body.
    pub(super) body: Vec<u8>,
    /// Shards that are not in it: only where partial answers are allowed.
    pub(super) missing: Vec<ShardId>,
}

/// Answers a search in one index.
pub(crate) async fn search(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &SearchQuery,
    terms: Terms,
) -> Answer {
    let merged = merged(gateway, index, query, terms, new_request_uid()).await?;
    let mut response = json_bytes(StatusCode::OK, merged.body);
    mark_partial(&mut response, &merged.missing);
    Ok(response)
}

/// Scatters a search and merges what comes back.
pub(super) async fn merged(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &SearchQuery,
    terms: Terms,
    request_uid: String,
) -> Result<Merged, ResponseError> {
    query.check_semantic()?;
    let start = Instant::now();
    let mut asked = AskedSearch::of(index, query);
    let path = path(index)?;
    let scope = asked.scope(index);
    let of_page = gather(gateway, &scope, terms, &path, &asked);
    let (gathered, surveyed) = match asked.survey() {
        None => (of_page.await, Vec::new()),
        Some(survey) => {
            let survey = gather(gateway, &scope, terms, &path, &survey);
            let (page, survey) = tokio::join!(of_page, survey);
            // Without it, facets are counted as far as the page tells.
            (page, survey.map(|survey| survey.answers).unwrap_or_default())
        }
    };
    let gathered = gathered.map_err(|error| hidden_in(error, &index.settings))?;
    asked.spec.processing_time_ms = elapsed_ms(start);
    asked.spec.request_uid = Some(request_uid);
    merge(gathered, &surveyed, asked.spec)
}

/// Asks every node of a search.
async fn gather(
    gateway: &Gateway,
    scope: &Scope<'_>,
    terms: Terms,
    path: &Uri,
    asked: &AskedSearch,
) -> Result<Gathered, ResponseError> {
    let plain = asked.body(None);
    scatter(gateway, scope, terms, |target: &Target| {
        let body = match &target.filter {
            None => plain.clone(),
            Some(filter) => asked.body(Some(filter)),
        };
        NodeRequest::query(path.clone(), body)
    })
    .await
}

/// A node's error, without the names of attributes that clients do not see.
pub(super) fn hidden_in(error: ResponseError, settings: &Value) -> ResponseError {
    let displayed = Displayed::from_settings(settings);
    error.map_message(|message| displayed.hide_in_list(message))
}

/// Where a node is asked.
pub(super) fn path(index: &IndexRecord) -> Result<Uri, ResponseError> {
    format!("/indexes/{}/search", index.uid)
        .parse()
        .map_err(|_| ResponseError::new(Code::Internal, "The index uid cannot be put into a request."))
}

/// A `requestUid`.
pub(super) fn new_request_uid() -> String {
    RequestId::random().as_str().to_owned()
}

/// The milliseconds since then.
pub(super) fn elapsed_ms(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// What the nodes are asked for a client's search, and what is made of it.
pub(super) struct AskedSearch {
    query: SearchQuery,
    client_filter: Option<Value>,
    pub(super) spec: SearchSpec,
    /// What nodes are asked about all documents that the search finds.
    survey: Option<Box<SearchQuery>>,
}

impl AskedSearch {
    /// For a search in this index.
    pub(super) fn of(index: &IndexRecord, client: &SearchQuery) -> Self {
        let client = &*guarded_search(client);
        let settings = &index.settings;
        let displayed = Displayed::from_settings(settings);
        let spec = spec(client, index, &displayed);
        let mut query = client.clone();
        if client.is_paged() {
            query.page = Some(1);
            query.hits_per_page = Some(spec.node_limit());
        } else {
            query.offset = 0;
            query.limit = spec.node_limit();
        }
        query.show_ranking_score_details = true;
        query.show_ranking_score = client.show_ranking_score || spec.semantic_ratio.is_some();
        query.attributes_to_retrieve =
            displayed.allow(client.attributes_to_retrieve.as_ref()).map(|mut names| {
                names.insert(SEQUENCE_FIELD.to_owned());
                names.extend(spec.distinct.clone());
                names
            });
        query.retrieve_vectors = client.retrieve_vectors && displayed.shows_vectors();
        restrict_formatting(&mut query, &displayed);
        query.facets = client.facets.as_ref().map(|facets| named_facets(facets, settings));
        let distinct = spec.distinct.as_deref();
        if let Some(extra) = extra_facet(index, client, distinct) {
            query.facets.get_or_insert_default().push(extra);
        }
        let survey = match (Groups::of(client, distinct, settings), distinct) {
            (Groups::Survey, Some(distinct)) => Some(Box::new(surveyed(&query, client, distinct))),
            _ => None,
        };
        Self { query, client_filter: client.filter.clone(), spec, survey }
    }

    /// What nodes are asked about all documents that the search finds, where that has to be known.
    fn survey(&self) -> Option<Self> {
        let query = self.survey.as_deref()?.clone();
        Some(Self { query, client_filter: self.client_filter.clone(), spec: self.spec.clone(), survey: None })
    }

    /// What the search is about.
    pub(super) fn scope<'a>(&self, index: &'a IndexRecord) -> Scope<'a> {
        let slots = slots_of_filter(self.client_filter.as_ref(), index.primary_key.as_deref());
        let query = &self.query;
        let filter = query.filter.as_ref().map(Value::to_string);
        let turn = turn((&index.uid, &query.q, filter, &query.sort, &query.distinct));
        Scope { indexes: vec![&index.uid], slots, turn }
    }

    /// The body for a node.
    pub(super) fn body(&self, filter: Option<&str>) -> Bytes {
        let bytes = match filter {
            None => serde_json::to_vec(&self.query),
            Some(_) => serde_json::to_vec(&self.query(filter)),
        };
        bytes.expect("a query that was JSON is JSON").into()
    }

    /// The query for a node.
    pub(super) fn query(&self, filter: Option<&str>) -> SearchQuery {
        SearchQuery { filter: narrowed(self.client_filter.as_ref(), filter), ..self.query.clone() }
    }
}

fn spec(client: &SearchQuery, index: &IndexRecord, displayed: &Displayed) -> SearchSpec {
    let settings = &index.settings;
    let paging = if client.is_paged() {
        Paging::Page { page: client.page.unwrap_or(1), hits_per_page: client.hits_per_page.unwrap_or(20) }
    } else {
        Paging::Window { offset: client.offset, limit: client.limit }
    };
    let distinct =
        client.distinct.clone().or_else(|| Some(settings["distinctAttribute"].as_str()?.to_owned()));
    let strip_facets = extra_facet(index, client, distinct.as_deref());
    let wants = |name: &String| {
        let allowed = displayed.allow(client.attributes_to_retrieve.as_ref());
        allowed.is_none_or(|names| names.iter().any(|shown| is_within(name, shown)))
    };
    let formats = |name: &String| {
        let highlighted = client.attributes_to_highlight.iter().flatten().map(String::as_str);
        let cropped = client.attributes_to_crop.iter().flatten();
        let cropped = cropped.map(|crop| crop.split(':').next().unwrap_or_default());
        highlighted.chain(cropped).any(|other| other == "*" || other == name)
    };
    SearchSpec {
        paging,
        max_total_hits: Some(max_total_hits(settings)),
        show_ranking_score: client.show_ranking_score,
        show_ranking_score_details: client.show_ranking_score_details,
        displayed: displayed.names(),
        strip: distinct.iter().filter(|name| !wants(name)).cloned().collect(),
        strip_formatted: distinct.iter().filter(|name| !wants(name) && !formats(name)).cloned().collect(),
        facets: client.facets.as_ref().map(|_| facet_spec(settings)),
        strip_facets: strip_facets.into_iter().collect(),
        distinct,
        semantic_ratio: client.hybrid.as_ref().map(|hybrid| hybrid.semantic_ratio.get()),
        ..SearchSpec::default()
    }
}

/// How many hits a search gives at the most, on all pages.
pub(super) fn max_total_hits(settings: &Value) -> usize {
    let most = settings["pagination"]["maxTotalHits"].as_u64().unwrap_or(MAX_TOTAL_HITS);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// How facets are listed, by the logical settings.
pub(super) fn facet_spec(settings: &Value) -> FacetSpec {
    let faceting = &settings["faceting"];
    let max_values = faceting["maxValuesPerFacet"].as_u64().unwrap_or(MAX_VALUES_PER_FACET);
    let orders = faceting["sortFacetValuesBy"].as_object();
    let orders = orders.into_iter().flatten();
    let (star, order_by): (Vec<_>, Vec<_>) = orders
        .map(|(name, order)| {
            let by_count = order == "count";
            (name.clone(), if by_count { FacetOrder::Count } else { FacetOrder::Name })
        })
        .partition(|(name, _)| name == "*");
    FacetSpec {
        max_values: usize::try_from(max_values).unwrap_or(usize::MAX),
        order: star.first().map_or(FacetOrder::Name, |(_, order)| *order),
        order_by,
    }
}

/// All facets, by name: a node would count the values of the internal field too, one for every slot. Patterns among the
/// filterable attributes cannot be named, then the node is asked for all.
pub(super) fn named_facets(facets: &[String], settings: &Value) -> Vec<String> {
    if !facets.iter().any(|name| name == "*") {
        return facets.to_vec();
    }
    let filterable = settings["filterableAttributes"].as_array();
    let names: Option<Vec<String>> = filterable
        .into_iter()
        .flatten()
        .map(|name| name.as_str().filter(|name| !name.contains('*')).map(str::to_owned))
        .collect();
    names.unwrap_or_else(|| facets.to_vec())
}

/// Highlighting and cropping show attributes too.
fn restrict_formatting(query: &mut SearchQuery, displayed: &Displayed) {
    let Displayed::Only(_) = displayed else { return };
    if let Some(names) = &query.attributes_to_highlight {
        query.attributes_to_highlight = Some(displayed.named(names));
    }
    if let Some(names) = query.attributes_to_crop.take() {
        let all: Vec<String> = names.iter().filter_map(|name| length_of(name, "*")).collect();
        let wanted: BTreeSet<String> =
            names.iter().map(|name| name.split(':').next().unwrap_or_default().to_owned()).collect();
        let allowed = displayed.named(&wanted);
        let with_length = |name: &String| {
            let own = names.iter().find_map(|crop| length_of(crop, name)).or_else(|| all.first().cloned());
            own.map_or_else(|| name.clone(), |length| format!("{name}{length}"))
        };
        query.attributes_to_crop = Some(allowed.iter().map(with_length).collect());
    }
}

/// The `:length` of `crop` where it is about `name`.
fn length_of(crop: &str, name: &str) -> Option<String> {
    Some(crop.strip_prefix(name)?).filter(|rest| rest.is_empty() || rest.starts_with(':')).map(str::to_owned)
}

fn merge(gathered: Gathered, surveyed: &[Bytes], mut spec: SearchSpec) -> Result<Merged, ResponseError> {
    let Gathered { answers, missing } = gathered;
    spec.extra.extend(missing_member(&missing));
    let body = merge_surveyed(&answers, surveyed, &spec).map_err(|error| merge_failed(&error))?;
    Ok(Merged { body, missing })
}

/// The member of an answer that says which shards it leaves out.
pub(super) fn missing_member(missing: &[ShardId]) -> Option<(String, String)> {
    (!missing.is_empty()).then(|| ("missingShards".to_owned(), missing_json(missing)))
}

fn missing_json(missing: &[ShardId]) -> String {
    serde_json::to_string(&missing.iter().map(|shard| shard.0).collect::<Vec<_>>()).unwrap_or_default()
}

/// Says in a header which shards an answer leaves out.
pub(crate) fn mark_partial(response: &mut Response<Body>, missing: &[ShardId]) {
    if !missing.is_empty()
        && let Ok(shards) = HeaderValue::from_str(&shard_list(missing))
    {
        response.headers_mut().insert("miroir-missing-shards", shards);
    }
}
