//! What a real Meilisearch v1.50 answered, request by request: `data/*.jsonl`, in the order of the recording.

use miroir_protocol::{
    ResponseError, SearchQuery, Settings,
    content_type::{DocumentFormat, require_json},
    documents::{
        AddDocuments, BrowseQuery, DeleteByFilter, EditDocuments, GetDocument, delete_batch_from_json,
    },
    error::Code,
    features::{self, FeaturesPatch},
    index_uid::IndexUid,
    indexes::{CreateIndex, Page, UpdateIndex},
    keys::{CreateKey, UpdateKey},
    search::{AscDesc, FacetSearchQuery, MultiSearch, SimilarQuery, check_filter_form},
    settings::SettingName,
    swap::swaps_from_json,
    tasks::{Details, FilterAction, TaskFilter, TasksQuery, batch_uid_from_path, task_uid_from_path},
};
use serde_json::Value;
use time::macros::datetime;

/// Errors that come from the engine or from the documents, which this crate does not look at.
const ELSEWHERE: [u64; 14] = [51, 65, 66, 67, 68, 69, 70, 327, 328, 330, 333, 335, 351, 361];

/// Engine errors that are parsed from expressions.
const EXPRESSIONS: [u64; 2] = [386, 468];

struct Request<'a> {
    method: &'a str,
    path: Vec<&'a str>,
    query: &'a str,
    content_type: Option<&'a str>,
    body: Vec<u8>,
}

impl<'a> Request<'a> {
    fn of(recorded: &'a Value) -> Self {
        let path = recorded["path"].as_str().expect("a path");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let body = match (&recorded["raw"], &recorded["body"]) {
            (Value::String(raw), _) => raw.clone().into_bytes(),
            (_, Value::Null) => Vec::new(),
            (_, body) => serde_json::to_vec(body).expect("JSON"),
        };
        Self {
            method: recorded["method"].as_str().expect("a method"),
            path: path.trim_start_matches('/').split('/').collect(),
            query,
            content_type: recorded["type"].as_str(),
            body,
        }
    }

    /// Parses the request as its route does.
    fn parse(&self) -> Result<(), ResponseError> {
        match (self.method, self.path.as_slice()) {
            ("GET", ["indexes"]) => Page::from_query_string(self.query).map(drop),
            ("GET", ["indexes", uid]) => IndexUid::from_path(uid).map(drop),
            (_, ["indexes", uid, "documents", rest @ ..]) => self.parse_documents(uid, rest),
            ("GET", ["indexes", _, "search"]) => SearchQuery::from_query_string(self.query).map(drop),
            ("GET", ["indexes", _, "similar"]) => SimilarQuery::from_query_string(self.query).map(drop),
            ("GET", ["tasks"] | ["batches"]) => TasksQuery::from_query_string(self.query).map(drop),
            ("GET", ["tasks", uid]) => task_uid_from_path(uid).map(drop),
            ("GET", ["batches", uid]) => batch_uid_from_path(uid).map(drop),
            ("POST", ["tasks", "cancel"]) => {
                TaskFilter::from_query_string(self.query, FilterAction::Cancel).map(drop)
            }
            ("DELETE", ["tasks"]) => {
                TaskFilter::from_query_string(self.query, FilterAction::Delete).map(drop)
            }
            ("GET", ["metrics"]) => Err(features::METRICS.needed_for("Getting metrics")),
            ("GET", ["network"]) => Err(features::NETWORK.needed_for("Using the /network route")),
            ("GET", ["chats"]) => Err(features::CHAT_COMPLETIONS.needed_for("listing the chats")),
            ("POST", ["dynamic-search-rules"]) => {
                Err(features::DYNAMIC_SEARCH_RULES
                    .needed_for("Calling the `POST /dynamic-search-rules` route"))
            }
            ("POST", ["logs", _]) => {
                Err(features::LOGS_ROUTE.needed_for("Modifying logs through the `/logs/*` routes"))
            }
            _ => {
                require_json(self.content_type)?;
                self.parse_body()
            }
        }
    }

    fn parse_body(&self) -> Result<(), ResponseError> {
        let body = &self.body;
        match (self.method, self.path.as_slice()) {
            ("POST", ["indexes"]) => CreateIndex::from_json(body).map(drop),
            ("PATCH", ["indexes", _]) => UpdateIndex::from_json(body).map(drop),
            ("POST", ["indexes", _, "search"]) => search(body),
            ("POST", ["indexes", _, "facet-search"]) => FacetSearchQuery::from_json(body).map(drop),
            ("POST", ["indexes", _, "similar"]) => SimilarQuery::from_json(body)?.document_id().map(drop),
            ("POST", ["multi-search"]) => MultiSearch::from_json(body)?.check(),
            ("PATCH", ["indexes", _, "settings"]) => Settings::from_json(body)?.check_features(),
            (_, ["indexes", _, "settings", route]) => {
                let name = SettingName::from_route(route).expect("a setting");
                Settings::from_json_of(name, body)?.check_features()
            }
            ("POST", ["keys"]) => CreateKey::from_json(body, datetime!(2025-01-01 0:00 UTC)).map(drop),
            ("PATCH", ["keys", _]) => UpdateKey::from_json(body).map(drop),
            ("POST", ["swap-indexes"]) => swaps_from_json(body).map(drop),
            ("PATCH", ["experimental-features"]) => FeaturesPatch::from_json(body).map(drop),
            (method, path) => panic!("no parser for {method} {path:?}"),
        }
    }

    fn parse_documents(&self, uid: &str, rest: &[&str]) -> Result<(), ResponseError> {
        match (self.method, rest) {
            ("GET", []) => BrowseQuery::from_query_string(self.query).map(drop),
            ("GET", [_]) => GetDocument::from_query_string(self.query).map(drop),
            (_, ["fetch"]) => BrowseQuery::from_json(&self.body).map(drop),
            (_, ["delete"]) => DeleteByFilter::from_json(&self.body).map(drop),
            (_, ["delete-batch"]) => delete_batch_from_json(&self.body).map(drop),
            (_, ["edit"]) => {
                EditDocuments::from_json(&self.body)?;
                Err(features::EDIT_DOCUMENTS.needed_for("Using the documents edit route"))
            }
            _ => {
                let parameters = AddDocuments::from_query_string(self.query)?;
                IndexUid::from_path(uid)?;
                DocumentFormat::of(self.content_type, parameters.csv_delimiter).map(drop)
            }
        }
    }
}

fn search(body: &[u8]) -> Result<(), ResponseError> {
    let query = SearchQuery::from_json(body)?;
    query.check_semantic()?;
    if let Some(filter) = &query.filter {
        check_filter_form(filter, Code::InvalidSearchFilter)?;
    }
    query.sort.iter().flatten().try_for_each(|sort| AscDesc::parse_for_search(sort).map(drop))
}

fn lines(data: &str) -> impl Iterator<Item = Value> {
    data.lines().map(|line| serde_json::from_str(line).expect("a line of JSON"))
}

#[test]
fn refused_requests_get_the_recorded_error() {
    let mut compared = 0;
    for recorded in lines(include_str!("../data/recorded_errors.jsonl")) {
        let number = recorded["n"].as_u64().expect("a number");
        if ELSEWHERE.contains(&number) || EXPRESSIONS.contains(&number) {
            continue;
        }
        let Err(error) = Request::of(&recorded).parse() else { panic!("taken: {recorded}") };
        let answer: Value = serde_json::from_slice(&error.body()).expect("JSON");
        assert_eq!(answer, recorded["answer"], "request {number}");
        assert_eq!(
            u64::from(error.status.as_u16()),
            recorded["status"].as_u64().expect("a status"),
            "{number}"
        );
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn every_recorded_error_has_a_code_here() {
    for recorded in lines(include_str!("../data/recorded_errors.jsonl")) {
        let answer = &recorded["answer"];
        let code = Code::from_name(answer["code"].as_str().expect("a code")).expect("a known code");
        let status = u64::from(code.status().as_u16());
        let own = (code.error_type().name().into(), code.link().into(), status.into());
        assert_eq!((answer["type"].clone(), answer["link"].clone(), recorded["status"].clone()), own);
    }
}

#[test]
fn accepted_requests_are_accepted() {
    for recorded in lines(include_str!("../data/recorded_accepted.jsonl")) {
        let body = serde_json::to_vec(&recorded["body"]).expect("JSON");
        let path: Vec<&str> = recorded["path"].as_str().expect("a path").split(['/', '?']).skip(1).collect();
        let parsed = match path.as_slice() {
            ["indexes", _, "search"] => search(&body),
            ["indexes", _, "facet-search"] => FacetSearchQuery::from_json(&body).map(drop),
            ["indexes", _, "similar"] => SimilarQuery::from_json(&body).map(drop),
            ["multi-search"] => MultiSearch::from_json(&body).and_then(|search| search.check()),
            ["indexes", _, "documents", "fetch"] => BrowseQuery::from_json(&body).map(drop),
            ["indexes", _, "documents", "delete"] => DeleteByFilter::from_json(&body).map(drop),
            ["indexes", _, "documents", "delete-batch"] => delete_batch_from_json(&body).map(drop),
            ["indexes", _, "documents", "edit"] => EditDocuments::from_json(&body).map(drop),
            path => panic!("no parser for {path:?}"),
        };
        parsed.unwrap_or_else(|error| panic!("{recorded}: {error}"));
    }
}

#[test]
fn searches_ask_a_node_for_the_same() {
    for recorded in lines(include_str!("../data/recorded_accepted.jsonl")) {
        if !recorded["path"]
            .as_str()
            .is_some_and(|path| path.starts_with("/indexes/") && path.ends_with("/search"))
        {
            continue;
        }
        let body = serde_json::to_vec(&recorded["body"]).expect("JSON");
        let query = SearchQuery::from_json(&body).expect("accepted");
        let again = SearchQuery::from_json(&serde_json::to_vec(&query).expect("JSON")).expect("accepted");
        assert_eq!(again, query);
    }
}

#[test]
fn settings_change_and_show_as_recorded() {
    let mut settings = Settings::default();
    for recorded in lines(include_str!("../data/recorded_settings.jsonl")) {
        let route = recorded["path"].as_str().expect("a path").trim_start_matches('/');
        let name = SettingName::from_route(route);
        if recorded["method"] == "GET" {
            let view = match name {
                Some(name) => settings.view_of(name),
                None => serde_json::to_value(settings.view()).expect("JSON"),
            };
            assert_eq!(view.to_string(), recorded["answer"].to_string(), "{recorded}");
            continue;
        }
        let body = serde_json::to_vec(&recorded["body"]).expect("JSON");
        let patch = match (recorded["method"].as_str(), name) {
            (Some("DELETE"), Some(name)) => Settings::reset(name),
            (Some("DELETE"), None) => Settings::reset_all(),
            (_, Some(name)) => Settings::from_json_of(name, &body).expect("accepted"),
            (_, None) => Settings::from_json(&body).expect("accepted"),
        };
        let details = Details::settings(&patch).to_value();
        assert_eq!(details.to_string(), recorded["details"].to_string(), "{recorded}");
        // As a log keeps it.
        settings.apply(&Settings::from_value(patch.to_value()).expect("own JSON"));
    }
    assert_eq!(settings, Settings::default());
}
