//! One search: what each node is asked, and one answer of theirs.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Uri};
use memchr::memmem;
use miroir_filters::{
    Body,
    extensions::{RequestId, Reusable},
};
use miroir_log::IndexRecord;
use miroir_merge::{SearchSpec, merge_hybrid, merge_ungrouped, page_in_doubt, words_suffice};
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    error::{Code, ResponseError},
    features,
    search::SearchQuery,
};
use miroir_shard::ShardId;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    asked::AskedSearch,
    deep,
    documents::merge_failed,
    ranks,
    scatter::{Gathered, Terms, scatter, shard_list},
    survey::ungrouped_limits,
    targets::{Scope, Target},
    unequal::{or_as_written, told_apart},
    visibility::Displayed,
};
use crate::{
    answer::{Answer, json_bytes},
    state::Gateway,
};

/// In an answer for which nodes did not look as far as they would have with more time.
const DEGRADED: &[u8] = b"\"degraded\":true";

/// What is asked in an index, and what its answer is to tell of itself.
pub(super) struct Question<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) index: &'a IndexRecord,
    /// As the client asks.
    pub(super) query: &'a SearchQuery,
    pub(super) terms: Terms,
    /// Where nodes are asked.
    pub(super) path: Uri,
    start: Instant,
    request_uid: String,
}

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
    Ok(found(merged.body, &merged.missing))
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
    let Some(filter) = told_apart(gateway, index, query.filter.as_ref(), terms).await else {
        return merged_as_asked(gateway, index, query, terms, request_uid).await;
    };
    let apart = SearchQuery { filter: Some(filter), ..query.clone() };
    // Boxed, so that other searches do not carry what these need.
    let answer = Box::pin(merged_as_asked(gateway, index, &apart, terms, request_uid.clone())).await;
    or_as_written(answer, || Box::pin(merged_as_asked(gateway, index, query, terms, request_uid))).await
}

async fn merged_as_asked(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &SearchQuery,
    terms: Terms,
    request_uid: String,
) -> Result<Merged, ResponseError> {
    let start = Instant::now();
    let mut asked = AskedSearch::of(index, query);
    asked.spec.pinned = gateway.rules.may_pin_in(&index.uid);
    asked.spec.distinct_twice &= !gateway.has_legacy_search();
    let question = Question { gateway, index, query, terms, path: path(index)?, start, request_uid };
    let scope = asked.scope(index);
    let far = deep::hits(&question, &scope, &asked).await;
    if let Some((body, missing)) = far.map_err(|error| hidden_in(error, &index.settings))? {
        return Ok(Merged { body, missing });
    }
    let (gathered, second) = question.ask(&scope, &asked).await;
    let mut gathered = gathered.map_err(|error| hidden_in(error, &index.settings))?;
    let ungrouped = question.ungrouped(&scope, &asked, &gathered.answers).await?;
    gathered.add_missing(ungrouped.missing);
    asked.spec.facet_ranks = ranks::needed(&question, &gathered.answers, &asked.spec).await;
    question.complete(&mut asked.spec, &gathered.missing)?;
    merge(gathered, &ungrouped.answers, &second, &asked.spec)
}

// === impl Question ===

impl Question<'_> {
    /// Asks every node, and once more where the answers alone do not tell everything.
    async fn ask(&self, scope: &Scope<'_>, asked: &AskedSearch) -> (Result<Gathered, ResponseError>, Second) {
        let of_page = self.gather(scope, asked);
        let Some((besides, by_words)) = asked.second() else {
            let page = of_page.await;
            let too_little = page.as_ref().is_ok_and(|page| asked.tells_too_little(&page.answers));
            let survey = asked.later_survey().filter(|_| too_little);
            let besides = match survey {
                Some(survey) => self.gather(scope, &survey).await.ok(),
                None => None,
            };
            return (page, besides.map_or(Second::None, |besides| Second::Surveyed(besides.answers)));
        };
        if by_words && asked.spec.weighted {
            let (page, words) = tokio::join!(of_page, self.weighted(scope, &besides));
            return match words {
                Ok(words) => (page, words),
                Err(error) => (page.and(Err(error)), Second::None),
            };
        }
        let besides = self.gather(scope, &besides);
        let (page, besides) = tokio::join!(of_page, besides);
        match besides {
            Ok(besides) if by_words => (page, Second::ByWords(besides.answers)),
            Ok(besides) => (page, Second::Surveyed(besides.answers)),
            Err(error) if by_words => (page.and(Err(error)), Second::None),
            // Without it, facets are counted as far as the page tells.
            Err(_) => (page, Second::None),
        }
    }

    /// Asks every node for the words of a hybrid search and what it weighs their hits with; where that is more than it knows, or
    /// the words are enough, for the words alone.
    async fn weighted(&self, scope: &Scope<'_>, words: &AskedSearch) -> Result<Second, ResponseError> {
        let request = |target: &Target| {
            let body = words.weighted_body(&self.index.uid, target.filter.as_deref());
            NodeRequest::query(Uri::from_static("/multi-search"), body).for_merge()
        };
        match scatter(self.gateway, scope, self.terms, request).await {
            Err(error) if error.code_name() == "feature_not_enabled" => {}
            Err(error) => return Err(error),
            Ok(gathered) if words_suffice(&gathered.answers, &words.spec).unwrap_or_default() => {}
            Ok(gathered) => return Ok(Second::Weighted(gathered.answers)),
        }
        Ok(Second::ByWords(self.gather(scope, words).await?.answers))
    }

    /// Asks every node for hits that it does not group, where those that it groups do not tell which ones come first.
    async fn ungrouped(
        &self,
        scope: &Scope<'_>,
        asked: &AskedSearch,
        answers: &[Bytes],
    ) -> Result<Gathered, ResponseError> {
        let mut ungrouped = Gathered::default();
        // Pinned documents, and those of the two halves of a hybrid search, are not in the order of the hits.
        let is_plain = !asked.spec.pinned && !matches!(asked.second(), Some((_, true)));
        let mut in_doubt = is_plain && page_in_doubt(answers, &asked.spec, None).unwrap_or_default();
        let mut limits = ungrouped_limits(asked.spec.node_limit()).into_iter();
        while in_doubt && let Some(limit) = limits.next() {
            ungrouped = self.gather(scope, &asked.ungrouped(limit)).await?;
            in_doubt = page_in_doubt(&ungrouped.answers, &asked.spec, Some(limit)).unwrap_or_default();
        }
        Ok(ungrouped)
    }

    /// Asks every node of a search.
    async fn gather(&self, scope: &Scope<'_>, asked: &AskedSearch) -> Result<Gathered, ResponseError> {
        gather(self.gateway, scope, (self.terms, &self.path), asked).await
    }

    /// Puts into the specification what is known once the nodes have answered.
    pub(super) fn complete(&self, spec: &mut SearchSpec, missing: &[ShardId]) -> Result<(), ResponseError> {
        if self.query.personalize.is_some() {
            return Err(features::PERSONALIZATION.needed_for("reranking search results"));
        }
        spec.legacy_search = self.gateway.has_legacy_search();
        spec.processing_time_ms = elapsed_ms(self.start);
        spec.request_uid = Some(self.request_uid.clone());
        if self.terms.include_metadata {
            spec.extra.push(("metadata".to_owned(), metadata(self.index, None).to_string()));
        }
        if self.query.show_performance_details {
            spec.extra.push(performance_details(self.start));
        }
        spec.extra.extend(missing_member(missing));
        Ok(())
    }
}

/// Asks every node of a search in an index, once.
pub(super) async fn ask(
    gateway: &Gateway,
    index: &IndexRecord,
    asked: &AskedSearch,
    terms: Terms,
) -> Result<Gathered, ResponseError> {
    gather(gateway, &asked.scope(index), (terms, &path(index)?), asked).await
}

async fn gather(
    gateway: &Gateway,
    scope: &Scope<'_>,
    (terms, path): (Terms, &Uri),
    asked: &AskedSearch,
) -> Result<Gathered, ResponseError> {
    let plain = asked.body(None);
    let request = |target: &Target| {
        let body = match &target.filter {
            None => plain.clone(),
            Some(filter) => asked.body(Some(filter)),
        };
        NodeRequest::query(path.clone(), body)
    };
    scatter(gateway, scope, terms, request).await
}

/// What an answer says about the search it is to, where the client wants to know; `words` in a federated search.
pub(super) fn metadata(index: &IndexRecord, words: Option<&str>) -> Value {
    let mut metadata = json!({ "queryUid": new_request_uid(), "indexUid": index.uid });
    if let Some(words) = words {
        metadata["query"] = json!(words);
    }
    if let Some(primary_key) = &index.primary_key {
        metadata["primaryKey"] = json!(primary_key);
    }
    metadata
}

/// The member of an answer that says where the time went.
pub(super) fn performance_details(start: Instant) -> (String, String) {
    let took = format!("{:.2?}", start.elapsed());
    ("performanceDetails".to_owned(), json!({ "wait for nodes": took }).to_string())
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

/// What the nodes answered besides.
enum Second {
    None,
    Surveyed(Vec<Bytes>),
    ByWords(Vec<Bytes>),
    /// The same with what nodes weigh each hit with.
    Weighted(Vec<Bytes>),
}

fn merge(
    gathered: Gathered,
    ungrouped: &[Bytes],
    second: &Second,
    spec: &SearchSpec,
) -> Result<Merged, ResponseError> {
    let Gathered { answers, missing, .. } = gathered;
    let body = match second {
        Second::None => merge_ungrouped(&answers, ungrouped, &[], spec),
        Second::Surveyed(surveyed) => merge_ungrouped(&answers, ungrouped, surveyed, spec),
        Second::Weighted(by_words) => merge_hybrid(&answers, by_words, spec),
        Second::ByWords(by_words) => {
            merge_hybrid(&answers, by_words, &SearchSpec { weighted: false, ..spec.clone() })
        }
    };
    let body = body.map_err(|error| merge_failed(&error))?;
    Ok(Merged { body, missing })
}

/// The member of an answer that says which shards it leaves out.
pub(super) fn missing_member(missing: &[ShardId]) -> Option<(String, String)> {
    (!missing.is_empty()).then(|| ("missingShards".to_owned(), missing_json(missing)))
}

fn missing_json(missing: &[ShardId]) -> String {
    serde_json::to_string(&missing.iter().map(|shard| shard.0).collect::<Vec<_>>()).unwrap_or_default()
}

/// The answer to a search. Others who ask the same may have it, unless nodes had no time to finish or shards are missing.
pub(super) fn found(body: Vec<u8>, missing: &[ShardId]) -> Response<Body> {
    // Where a document has these bytes too, its answers are made for each.
    let whole = missing.is_empty() && memmem::find(&body, DEGRADED).is_none();
    let mut response = json_bytes(StatusCode::OK, body);
    if whole {
        response.extensions_mut().insert(Reusable);
    }
    mark_partial(&mut response, missing);
    response
}

/// Says in a header which shards an answer leaves out.
pub(crate) fn mark_partial(response: &mut Response<Body>, missing: &[ShardId]) {
    if !missing.is_empty()
        && let Ok(shards) = HeaderValue::from_str(&shard_list(missing))
    {
        response.headers_mut().insert("miroir-missing-shards", shards);
    }
}
