//! The innermost service: every request the filters let through, to its handler.

mod route;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};
use miroir_config::Partial;
use miroir_filters::{Body, BoxError};
use miroir_log::Method as Write;
use miroir_protocol::{
    content_type::require_json,
    documents::{BrowseQuery, GetDocument},
    error::{Code, ResponseError},
    indexes::{IndexView, Page},
    search::{FacetSearchQuery, MultiSearch, SearchQuery},
    tasks::{TasksQuery, task_uid_from_path},
};
use tokio::time::Instant;
use tower::Service;

pub(crate) use self::route::{NoRoute, Route};
use crate::{
    answer::{Answer, empty, json, json_bytes, refusal},
    intake::{collect, content_type},
    pass,
    read::{self, scatter::Terms},
    state::Gateway,
    write::{self, log_error},
};

/// The header by which a request allows a partial answer, with the value `allow`, or refuses one with `deny`.
const PARTIAL: &str = "miroir-partial";

/// Answers requests.
#[derive(Clone)]
pub(crate) struct RoutesService {
    gateway: Gateway,
}

impl RoutesService {
    /// Answers from this state.
    pub(crate) fn new(gateway: Gateway) -> Self {
        Self { gateway }
    }
}

impl Service<Request<Body>> for RoutesService {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let gateway = self.gateway.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            match Route::of(request.method(), &path) {
                Ok(route) => {
                    let answer = Handler { gateway: &gateway }.handle(route, request).await?;
                    Ok(answer.unwrap_or_else(|error| refusal(&error)))
                }
                Err(NoRoute::NotFound) => Ok(empty(StatusCode::NOT_FOUND)),
                Err(NoRoute::MethodNotAllowed) => Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
            }
        })
    }
}

struct Handler<'a> {
    gateway: &'a Gateway,
}

impl Handler<'_> {
    async fn handle(&self, route: Route<'_>, request: Request<Body>) -> Result<Answer, BoxError> {
        match route {
            Route::Node(name, path) => Ok(pass::to_node(self.gateway, &name, path, request).await),
            Route::AddDocuments(uid) => self.add_documents(&uid, Write::Replace, request).await,
            Route::UpdateDocuments(uid) => self.add_documents(&uid, Write::Update, request).await,
            route if *request.method() == Method::GET || *request.method() == Method::HEAD => {
                Ok(self.get(route, &request.into_parts().0).await)
            }
            route => self.with_body(route, request).await,
        }
    }

    async fn add_documents(
        &self,
        uid: &str,
        method: Write,
        request: Request<Body>,
    ) -> Result<Answer, BoxError> {
        let (parts, body) = request.into_parts();
        let query = parts.uri.query().unwrap_or_default();
        write::documents::add(self.gateway, uid, query, method, &parts.headers, body).await
    }

    async fn get(&self, route: Route<'_>, request: &Parts) -> Answer {
        let query = request.uri.query().unwrap_or_default();
        let gateway = self.gateway;
        let terms = self.terms(request);
        match route {
            Route::Health => Ok(json_bytes(StatusCode::OK, r#"{"status":"available"}"#)),
            Route::Version => Ok(json_bytes(StatusCode::OK, crate::version::json())),
            Route::Stats => read::stats::of_instance(gateway, terms).await,
            Route::ListIndexes => {
                let page = Page::from_query_string(query)?;
                let catalog = gateway.log.catalog();
                let views: Vec<IndexView> = catalog.indexes.values().map(|index| index_view(index)).collect();
                Ok(json(StatusCode::OK, &page.of(views.into_iter())))
            }
            Route::GetIndex(uid) => Ok(json(StatusCode::OK, &index_view(&*gateway.index(&uid)?))),
            Route::IndexStats(uid) => read::stats::of_index(gateway, &*gateway.index(&uid)?, terms).await,
            Route::SearchByUrl(uid) => {
                let index = gateway.known_index(&uid)?;
                let query = SearchQuery::from_query_string(query)?;
                read::search::search(gateway, &*index.found()?, &query, terms).await
            }
            Route::ListDocuments(uid) => {
                let index = gateway.known_index(&uid)?;
                let query = BrowseQuery::from_query_string(query)?;
                read::documents::browse(gateway, &*index.found()?, &query, terms).await
            }
            Route::GetDocument(uid, id) => {
                let index = gateway.known_index(&uid)?;
                let query = GetDocument::from_query_string(query)?;
                read::documents::get(gateway, &*index.found()?, &id, &query, terms).await
            }
            Route::GetSettings(uid) => write::settings::show_all(&*gateway.index(&uid)?),
            Route::GetSetting(uid, name) => write::settings::show(&*gateway.index(&uid)?, name),
            Route::ListTasks => {
                let query = TasksQuery::from_query_string(query)?;
                let page = gateway.log.tasks(&query).await.map_err(|error| log_error(&error))?;
                Ok(json(StatusCode::OK, &page))
            }
            Route::GetTask(uid) => {
                let uid = task_uid_from_path(&uid)?;
                let task = gateway.log.task(uid).await.map_err(|error| log_error(&error))?;
                Ok(json(StatusCode::OK, &task.ok_or_else(|| ResponseError::task_not_found(uid))?))
            }
            _ => Err(not_served(request.uri.path())),
        }
    }

    async fn with_body(&self, route: Route<'_>, request: Request<Body>) -> Result<Answer, BoxError> {
        let (parts, body) = request.into_parts();
        let terms = self.terms(&parts);
        let query = parts.uri.query().unwrap_or_default();
        let gateway = self.gateway;
        if has_json_body(&route)
            && let Err(error) = require_json(content_type(&parts.headers))
        {
            return Ok(Err(error));
        }
        let body = collect(body).await?;
        Ok(match route {
            Route::Search(_)
            | Route::FacetSearch(_)
            | Route::Fields(_)
            | Route::FetchDocuments(_)
            | Route::MultiSearch
            | Route::Explain => self.read(route, &body, terms).await,
            Route::CreateIndex => write::indexes::create(gateway, query, &body).await,
            Route::UpdateIndex(uid) => write::indexes::update(gateway, &uid, query, &body).await,
            Route::DeleteIndex(uid) => write::indexes::delete(gateway, &uid, query).await,
            Route::DeleteDocuments(uid) => write::documents::delete_all(gateway, &uid, query).await,
            Route::DeleteDocument(uid, id) => write::documents::delete_one(gateway, &uid, &id, query).await,
            Route::DeleteBatch(uid) => write::documents::delete_batch(gateway, &uid, query, &body).await,
            Route::DeleteByFilter(uid) => {
                write::documents::delete_by_filter(gateway, &uid, query, &body).await
            }
            Route::UpdateSettings(uid) => write::settings::update_all(gateway, &uid, query, &body).await,
            Route::ResetSettings(uid) => write::settings::reset_all(gateway, &uid, query).await,
            Route::UpdateSetting(uid, name) => {
                write::settings::update(gateway, &uid, name, query, &body).await
            }
            Route::ResetSetting(uid, name) => write::settings::reset(gateway, &uid, name, query).await,
            _ => Err(not_served(parts.uri.path())),
        })
    }

    /// A read whose parameters are in its body.
    async fn read(&self, route: Route<'_>, body: &Bytes, terms: Terms) -> Answer {
        let gateway = self.gateway;
        match route {
            Route::Search(uid) => {
                let index = gateway.known_index(&uid)?;
                let query = SearchQuery::from_json(body)?;
                read::search::search(gateway, &*index.found()?, &query, terms).await
            }
            Route::FacetSearch(uid) => {
                let index = gateway.known_index(&uid)?;
                let query = FacetSearchQuery::from_json(body)?;
                read::facet_search::facet_search(gateway, &*index.found()?, &query, terms).await
            }
            Route::FetchDocuments(uid) => {
                let index = gateway.known_index(&uid)?;
                let query = BrowseQuery::from_json(body)?;
                read::documents::browse(gateway, &*index.found()?, &query, terms).await
            }
            Route::Fields(uid) => {
                let index = gateway.index(&uid)?;
                read::fields::fields(gateway, &index, body, terms).await
            }
            Route::Explain => read::explain::explain(gateway, body, terms).await,
            _ => read::multi_search::multi_search(gateway, MultiSearch::from_json(body)?, terms).await,
        }
    }

    /// The terms of a read: the configured ones, unless the request says otherwise.
    fn terms(&self, request: &Parts) -> Terms {
        let limits = self.gateway.search;
        let partial = match request.headers.get(PARTIAL).map(http::HeaderValue::as_bytes) {
            Some(b"allow") => Partial::Allow,
            Some(b"deny") => Partial::Deny,
            _ => limits.partial,
        };
        let timeout = match request.extensions.get::<miroir_filters::extensions::Deadline>() {
            Some(deadline) => limits.timeout.min(deadline.remaining()),
            None => limits.timeout,
        };
        Terms { deadline: Instant::now() + timeout, partial }
    }
}

fn index_view(record: &miroir_log::IndexRecord) -> IndexView {
    IndexView {
        uid: record.uid.clone(),
        created_at: record.created_at,
        updated_at: record.updated_at,
        primary_key: record.primary_key.clone(),
    }
}

fn not_served(path: &str) -> ResponseError {
    ResponseError::new(Code::MiroirNotSupported, format!("`{path}` is not served by this version of Miroir."))
}

/// Whether the operation's parameters are in a body, which has to be said to be JSON.
fn has_json_body(route: &Route<'_>) -> bool {
    matches!(
        route,
        Route::Search(_)
            | Route::FacetSearch(_)
            | Route::Fields(_)
            | Route::MultiSearch
            | Route::Explain
            | Route::FetchDocuments(_)
            | Route::CreateIndex
            | Route::UpdateIndex(_)
            | Route::DeleteBatch(_)
            | Route::DeleteByFilter(_)
            | Route::UpdateSettings(_)
            | Route::UpdateSetting(..)
    )
}
