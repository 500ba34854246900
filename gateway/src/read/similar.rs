//! Documents that are similar to one.
//!
//! The node that holds the document is asked as the client asks. The others do not know it: they are asked for what is
//! near its vector, which its owner tells first.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Uri;
use miroir_log::IndexRecord;
use miroir_merge::{SimilarSpec, merge_similar};
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    error::{Code, ResponseError},
    search::SimilarQuery,
};
use miroir_shard::{SEQUENCE_FIELD, Slot};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    documents::{ask_owner, merge_failed},
    facets::max_total_hits,
    filter::narrowed,
    reserved::guarded_filter,
    scatter::{Terms, scatter},
    search::{elapsed_ms, found, hidden_in, missing_member, performance_details},
    survey::NO_GROUPS,
    targets::{Scope, Target, turn},
    unequal::{or_as_written, told_apart},
    visibility::Displayed,
};
use crate::{answer::Answer, state::Gateway};

/// How many hits a node is asked for where the index ranks by an attribute before it ranks by vector: the nearest ones are
/// then somewhere among all hits.
const ALL: usize = 10_000;

/// Answers with the documents that are similar to the one that the query names, which the client may see only where it
/// matches the filter `visible`, of its token.
pub(crate) async fn similar(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &SimilarQuery,
    visible: Option<&Value>,
    terms: Terms,
) -> Answer {
    let Some(filter) = told_apart(gateway, index, query.filter.as_ref(), terms).await else {
        return similar_as_asked(gateway, index, query, visible, terms).await;
    };
    let apart = SimilarQuery { filter: Some(filter), ..query.clone() };
    let answer = Box::pin(similar_as_asked(gateway, index, &apart, visible, terms)).await;
    or_as_written(answer, || Box::pin(similar_as_asked(gateway, index, query, visible, terms))).await
}

async fn similar_as_asked(
    gateway: &Gateway,
    index: &IndexRecord,
    query: &SimilarQuery,
    visible: Option<&Value>,
    terms: Terms,
) -> Answer {
    let start = Instant::now();
    let asked = Asked::of(index, query);
    // An id that no document can have is refused by any node, in its turn among other errors.
    let id = query.document_id().ok();
    let vector = match &id {
        Some(id) => {
            let vector = vector_of(gateway, index, id, query, visible, terms).await;
            vector.map_err(|error| hidden_in(about_similar(error, &index.uid), &index.settings))?
        }
        None => None,
    };
    let paths = Paths::of(index)?;
    let slot = id.as_deref().map(Slot::of);
    let map = gateway.topology.load().map.clone();
    let scope = Scope { indexes: vec![&index.uid], slots: None, turn: turn((&index.uid, &id)) };
    let gathered = scatter(gateway, &scope, terms, |target: &Target| {
        let filter = target.filter.as_deref();
        if slot.is_none_or(|slot| target.has(&map, slot)) {
            NodeRequest::query(paths.similar.clone(), asked.of_owner(filter))
        } else {
            NodeRequest::query(paths.search.clone(), asked.of_other(vector.as_ref(), filter))
        }
    })
    .await;
    let gathered = match gathered {
        Ok(gathered) => gathered,
        Err(error) => {
            let error = if is_about_filter(&error) {
                mistake_in_filter(gateway, &scope, &asked, &paths.documents, terms).await.unwrap_or(error)
            } else {
                error
            };
            return Err(hidden_in(about_similar(error, &index.uid), &index.settings));
        }
    };
    let mut extra: Vec<(String, String)> = missing_member(&gathered.missing).into_iter().collect();
    if query.show_performance_details {
        extra.insert(0, performance_details(start));
    }
    let spec = SimilarSpec {
        id: id.unwrap_or_default(),
        offset: query.offset,
        limit: query.limit,
        threshold: query.ranking_score_threshold.map(|threshold| threshold.get()),
        max_total_hits: max_total_hits(&index.settings),
        show_ranking_score: query.show_ranking_score,
        show_ranking_score_details: query.show_ranking_score_details,
        processing_time_ms: elapsed_ms(start),
        extra,
    };
    let merged = merge_similar(&gathered.answers, &spec).map_err(|error| merge_failed(&error))?;
    Ok(found(merged, &gathered.missing))
}

/// Where nodes are asked.
struct Paths {
    similar: Uri,
    search: Uri,
    documents: Uri,
}

impl Paths {
    fn of(index: &IndexRecord) -> Result<Self, ResponseError> {
        Ok(Self {
            similar: path(index, "similar")?,
            search: path(index, "search")?,
            documents: path(index, "documents/fetch")?,
        })
    }
}

fn path(index: &IndexRecord, operation: &str) -> Result<Uri, ResponseError> {
    format!("/indexes/{}/{operation}", index.uid)
        .parse()
        .map_err(|_| ResponseError::new(Code::Internal, "The index uid cannot be put into a request."))
}

/// The vector that the document has for the embedder: the first one, where it has several. `None` where there is no such
/// document or vector.
async fn vector_of(
    gateway: &Gateway,
    index: &IndexRecord,
    id: &str,
    query: &SimilarQuery,
    visible: Option<&Value>,
    terms: Terms,
) -> Result<Option<Value>, ResponseError> {
    let path = path(index, "documents/fetch")?;
    let mut body = json!({ "ids": [id], "fields": ["_vectors"], "retrieveVectors": true, "limit": 1 });
    if let Some(visible) = visible {
        body["filter"] = guarded_filter(visible);
    }
    let body = Bytes::from(body.to_string());
    let answer = ask_owner(gateway, index, id, terms, &NodeRequest::query(path, body)).await?;
    let answer: Value = serde_json::from_slice(&answer).map_err(|error| merge_failed(&error))?;
    if visible.is_some() && answer["results"].get(0).is_none() {
        let message = format!("Document `{id}` not found.");
        return Err(ResponseError::new(Code::NotFoundSimilarId, message));
    }
    Ok(first_vector(&answer["results"][0]["_vectors"][query.embedder.as_str()]["embeddings"]))
}

fn first_vector(embeddings: &Value) -> Option<Value> {
    match embeddings.get(0)? {
        vector @ Value::Array(_) => Some(vector.clone()),
        Value::Number(_) => Some(embeddings.clone()),
        _ => None,
    }
}

/// What nodes are asked for a client's query.
struct Asked<'a> {
    client: &'a SimilarQuery,
    filter: Option<Value>,
    attributes: Option<BTreeSet<String>>,
    retrieve_vectors: bool,
    ranks_before_vectors: bool,
}

impl<'a> Asked<'a> {
    fn of(index: &IndexRecord, client: &'a SimilarQuery) -> Self {
        let displayed = Displayed::from_settings(&index.settings);
        let attributes = displayed.allow(client.attributes_to_retrieve.as_ref()).map(|mut names| {
            names.insert(SEQUENCE_FIELD.to_owned());
            names
        });
        Self {
            client,
            filter: client.filter.as_ref().map(guarded_filter),
            attributes,
            retrieve_vectors: client.retrieve_vectors && displayed.shows_vectors(&index.settings),
            ranks_before_vectors: ranks_before_vectors(&index.settings),
        }
    }

    fn needed(&self) -> usize {
        self.client.offset.saturating_add(self.client.limit)
    }

    /// The body for the node that holds the document.
    fn of_owner(&self, filter: Option<&str>) -> Bytes {
        let query = SimilarQuery {
            offset: 0,
            limit: self.needed(),
            filter: narrowed(self.filter.as_ref(), filter),
            attributes_to_retrieve: self.attributes.clone(),
            retrieve_vectors: self.retrieve_vectors,
            show_ranking_score: true,
            show_ranking_score_details: true,
            show_performance_details: false,
            ranking_score_threshold: None,
            ..self.client.clone()
        };
        serde_json::to_vec(&query).expect("a query that was JSON is JSON").into()
    }

    /// The body for any other node: without a vector, only how many documents it has is of interest.
    fn of_other(&self, vector: Option<&Value>, filter: Option<&str>) -> Bytes {
        let filter = narrowed(self.filter.as_ref(), filter);
        let Some(vector) = vector else {
            return json!({ "filter": filter, "distinct": NO_GROUPS, "limit": 0 }).to_string().into();
        };
        let limit = if self.ranks_before_vectors { ALL.max(self.needed()) } else { self.needed() };
        let body = json!({
            "hybrid": { "embedder": self.client.embedder, "semanticRatio": 1.0 },
            "vector": vector,
            "filter": filter,
            "distinct": NO_GROUPS,
            "limit": limit,
            "attributesToRetrieve": self.attributes,
            "retrieveVectors": self.retrieve_vectors,
            "showRankingScore": true,
            "showRankingScoreDetails": true,
        });
        body.to_string().into()
    }
}

/// Whether an attribute decides before the vector does, in a search. Vectors come where the first rule about words is.
fn ranks_before_vectors(settings: &Value) -> bool {
    let first = settings["rankingRules"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut first = first.filter(|rule| *rule != "sort");
    first.next().is_some_and(|rule| rule.ends_with(":asc") || rule.ends_with(":desc"))
}

fn is_about_filter(error: &ResponseError) -> bool {
    error.code_name() == "invalid_search_filter"
}

/// What nodes say is wrong with the filter where they list documents. A search says where it is in a spelling of its own, a
/// listing and a search for similar documents in the client's; and it may be that only a node without the document meets it.
async fn mistake_in_filter(
    gateway: &Gateway,
    scope: &Scope<'_>,
    asked: &Asked<'_>,
    documents: &Uri,
    terms: Terms,
) -> Option<ResponseError> {
    let listed = scatter(gateway, scope, terms, |target: &Target| {
        let filter = narrowed(asked.filter.as_ref(), target.filter.as_deref());
        NodeRequest::query(documents.clone(), json!({ "filter": filter, "limit": 0 }).to_string())
    });
    listed.await.err().filter(|error| error.code_name() == "invalid_document_filter")
}

/// A node's refusal of a search or of a listing, as that of a search for similar documents, which does not name the index.
fn about_similar(error: ResponseError, index: &str) -> ResponseError {
    let code = match error.code_name() {
        "invalid_search_filter" | "invalid_document_filter" => Code::InvalidSimilarFilter,
        "invalid_search_embedder" => Code::InvalidSimilarEmbedder,
        _ => return error,
    };
    let message = error.message();
    ResponseError::new(code, message.strip_prefix(&format!("Index `{index}`: ")).unwrap_or(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(settings: Value) -> IndexRecord {
        IndexRecord {
            uid: "films".to_owned(),
            primary_key: Some("id".to_owned()),
            created_at: time::OffsetDateTime::UNIX_EPOCH,
            updated_at: time::OffsetDateTime::UNIX_EPOCH,
            settings,
        }
    }

    fn query(body: &Value) -> SimilarQuery {
        SimilarQuery::from_json(body.to_string().as_bytes()).expect("good")
    }

    fn read(body: &Bytes) -> Value {
        serde_json::from_slice(body).expect("JSON")
    }

    #[test]
    fn the_owner_is_asked_what_the_client_asks_and_the_others_for_what_is_near() {
        let client = query(&json!({
            "id": 3, "embedder": "e", "offset": 2, "limit": 5, "filter": "_miroir.s = x", "rankingScoreThreshold": 0.5,
        }));
        let index = index(json!({}));
        let asked = Asked::of(&index, &client);
        let owner = read(&asked.of_owner(Some("s")));
        assert_eq!((&owner["id"], &owner["limit"], &owner["offset"]), (&json!(3), &json!(7), &json!(0)));
        assert_eq!(owner["filter"], json!(["s", "_mir-ir.s = x"]));
        assert!(owner.get("rankingScoreThreshold").is_none());
        let other = read(&asked.of_other(Some(&json!([1.0, 2.0])), None));
        assert_eq!((&other["vector"], &other["limit"]), (&json!([1.0, 2.0]), &json!(7)));
        assert_eq!(other["hybrid"], json!({"embedder": "e", "semanticRatio": 1.0}));
        let nothing = read(&asked.of_other(None, None));
        assert_eq!((&nothing["limit"], nothing.get("hybrid")), (&json!(0), None));
    }

    #[test]
    fn all_hits_are_asked_for_where_vectors_do_not_decide_first() {
        let first = |rules: Value| ranks_before_vectors(&json!({"rankingRules": rules}));
        assert!(first(json!(["sort", "year:desc", "words"])));
        assert!(!first(json!(["words", "year:desc"])));
        assert!(!first(json!(null)));
    }

    #[test]
    fn vectors_are_one_or_several() {
        assert_eq!(first_vector(&json!([[1, 2], [3, 4]])), Some(json!([1, 2])));
        assert_eq!(first_vector(&json!([1, 2])), Some(json!([1, 2])));
        assert_eq!(first_vector(&json!([])), None);
        assert_eq!(first_vector(&json!(null)), None);
    }

    #[test]
    fn refusals_are_about_the_search_for_similar_documents() {
        for message in ["no", "Index `films`: no"] {
            let error = about_similar(ResponseError::new(Code::InvalidSearchFilter, message), "films");
            assert_eq!((error.code_name(), error.message()), ("invalid_similar_filter", "no"));
        }
    }
}
