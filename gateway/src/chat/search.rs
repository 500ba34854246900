//! A search that the model wants, made as if the client had sent it.

use std::sync::Arc;

use miroir_chat::{Outcome, SearchCall, Template};
use miroir_filters::auth::{Access, KeyStore};
use miroir_log::IndexRecord;
use miroir_protocol::{
    error::{Code, ResponseError},
    search::{HybridQuery, SearchQuery},
    settings::ChatSettings,
};
use serde_json::{Map, Value, value::RawValue};
use time::OffsetDateTime;
use tokio::time::Instant;

use super::metrics::ChatMetrics;
use crate::{
    read::{
        scatter::{Terms, shard_list},
        whole::{self, Whole},
    },
    state::Gateway,
};

/// Searches for one conversation.
pub(super) struct Searcher {
    gateway: Gateway,
    access: Access,
    terms: Terms,
    metrics: ChatMetrics,
}

// === impl Searcher ===

impl Searcher {
    /// With what the client may see, on the terms of its request.
    pub(super) fn new(gateway: &Gateway, access: &Access, terms: Terms, metrics: ChatMetrics) -> Self {
        Self { gateway: gateway.clone(), access: access.clone(), terms, metrics }
    }

    /// Makes a search.
    pub(super) async fn search(&self, call: SearchCall) -> Outcome {
        let uid = call.index_uid.clone();
        match self.found(call).await {
            Ok((documents, text)) => {
                self.metrics.count_search();
                Outcome::Found { documents, text }
            }
            Err(error) => refused(error, &uid),
        }
    }

    async fn found(&self, call: SearchCall) -> Result<(Vec<Box<RawValue>>, String), ResponseError> {
        let gateway = &self.gateway;
        let not_found = || ResponseError::index_not_found(&call.index_uid);
        let index = gateway.log.catalog().indexes.get(&call.index_uid).cloned().ok_or_else(not_found)?;
        // The key may have ended since the conversation began, or be good for chats only.
        let allowed = self.access.check_search(&index.uid, &gateway.keys.keys(), OffsetDateTime::now_utc());
        allowed.map_err(|error| ResponseError::from(&error))?;
        let settings = chat_settings(&index);
        let mut query = query(&settings, call.q, call.filter);
        self.access.restrict(&index.uid, &mut query.filter);
        let terms = Terms { deadline: Instant::now() + gateway.search.timeout, ..self.terms };
        let Whole { documents, shown, missing } = whole::documents(gateway, &index, &query, terms).await?;
        let mut text = rendered(index, &settings, documents).await?;
        if !missing.is_empty() {
            let shards = shard_list(&missing);
            text.push_str("\nSome documents could not be searched now, in the shards ");
            text.push_str(&shards);
            text.push('.');
        }
        Ok((shown, text))
    }
}

/// What an index says about chats, with what it does not say.
fn chat_settings(index: &IndexRecord) -> ChatSettings {
    let said: ChatSettings = serde_json::from_value(index.settings["chat"].clone()).unwrap_or_default();
    said.with_defaults()
}

/// The search that an index's settings make of what the model wants.
fn query(settings: &ChatSettings, q: Option<String>, filter: Option<String>) -> SearchQuery {
    let parameters = settings.search_parameters.as_set().cloned().unwrap_or_default();
    let default = SearchQuery::default();
    let hybrid = parameters.hybrid.set();
    SearchQuery {
        q,
        // A model that wants no filter says so by an empty one.
        filter: filter.filter(|filter| !filter.trim().is_empty()).map(Value::from),
        limit: parameters.limit.set().unwrap_or(default.limit),
        sort: parameters.sort.set(),
        distinct: parameters.distinct.set(),
        matching_strategy: parameters.matching_strategy.set().unwrap_or_default(),
        attributes_to_search_on: parameters.attributes_to_search_on.set(),
        ranking_score_threshold: parameters.ranking_score_threshold.set(),
        hybrid: hybrid
            .map(|hybrid| HybridQuery { semantic_ratio: hybrid.semantic_ratio, embedder: hybrid.embedder }),
        ..default
    }
}

/// Puts documents into words, on a thread that may take its time.
async fn rendered(
    index: Arc<IndexRecord>,
    settings: &ChatSettings,
    documents: Vec<Map<String, Value>>,
) -> Result<String, ResponseError> {
    let template = settings.document_template.as_set().cloned().unwrap_or_default();
    let rendering = tokio::task::spawn_blocking(move || render(&index, &template, &documents));
    rendering.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a template cannot be rendered");
        Err(ResponseError::new(Code::Internal, "The documents cannot be put into words."))
    })
}

fn render(
    index: &IndexRecord,
    template: &str,
    documents: &[Map<String, Value>],
) -> Result<String, ResponseError> {
    let template = Template::new(template)?;
    let searchable = whole::Searchable::of(&index.settings);
    let id = |document: &Map<String, Value>| match document.get(index.primary_key.as_deref()?)? {
        Value::String(id) => Some(id.clone()),
        other => Some(other.to_string()),
    };
    let mut texts = Vec::with_capacity(documents.len());
    for document in documents {
        let id = id(document).unwrap_or_default();
        texts.push(template.render(&id, document, |name| searchable.has(name))?);
    }
    Ok(texts.join("\n"))
}

/// What a failed search is: a reason for the model to search in another way, or an error that the client hears of, too.
///
/// Where an index has something against a search, a node names the index before it says what. Meilisearch takes that for
/// an answer to the model, without the name; all but an unknown embedder, which no model can choose.
fn refused(error: ResponseError, uid: &str) -> Outcome {
    let name = format!("Index `{uid}`: ");
    match error.message().strip_prefix(&name) {
        Some(reason) if error.code() != Some(Code::InvalidSearchEmbedder) => {
            Outcome::Found { documents: Vec::new(), text: reason.to_owned() }
        }
        None if error.code() == Some(Code::InvalidSearchFilter) => {
            Outcome::Failed(error.map_message(|message| format!("{name}{message}")))
        }
        _ => Outcome::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_index_says_how_it_is_searched() {
        let chat =
            json!({ "searchParameters": { "limit": 3, "sort": ["a:asc"], "matchingStrategy": "all" } });
        let settings = serde_json::from_value::<ChatSettings>(chat).expect("settings").with_defaults();
        let asked = query(&settings, Some("x".to_owned()), Some(" ".to_owned()));
        assert_eq!((asked.q.as_deref(), asked.filter, asked.limit), (Some("x"), None, 3));
        assert_eq!(asked.sort, Some(vec!["a:asc".to_owned()]));
        let asked = query(&ChatSettings::default().with_defaults(), None, Some("a = 1".to_owned()));
        assert_eq!((asked.filter, asked.limit), (Some(json!("a = 1")), 20));
    }

    #[test]
    fn what_an_index_has_against_a_search_is_told_to_the_model_alone() {
        let error = |code, message: &str| refused(ResponseError::new(code, message), "films");
        let unfit = error(Code::InvalidSearchFilter, "Index `films`: Attribute `a` is not filterable.");
        assert!(matches!(unfit, Outcome::Found { text, .. } if text == "Attribute `a` is not filterable."));
        let Outcome::Failed(syntax) = error(Code::InvalidSearchFilter, "Was expecting") else {
            panic!("an error")
        };
        assert_eq!(syntax.message(), "Index `films`: Was expecting");
        let embedder = error(Code::InvalidSearchEmbedder, "Index `films`: Cannot find embedder");
        assert!(matches!(embedder, Outcome::Failed(_)));
        assert!(matches!(refused(ResponseError::index_not_found("films"), "films"), Outcome::Failed(_)));
    }
}
