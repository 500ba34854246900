//! Which operation a request asks for.

use std::borrow::Cow;

use http::Method;
use miroir_protocol::settings::{SettingName, UpdateMethod};
use percent_encoding::percent_decode_str;

/// An operation of the API, with the names its path carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are those of the API
pub(crate) enum Route<'a> {
    Health,
    Version,
    Stats,
    ListIndexes,
    CreateIndex,
    GetIndex(Cow<'a, str>),
    UpdateIndex(Cow<'a, str>),
    DeleteIndex(Cow<'a, str>),
    IndexStats(Cow<'a, str>),
    SearchByUrl(Cow<'a, str>),
    Search(Cow<'a, str>),
    FacetSearch(Cow<'a, str>),
    Fields(Cow<'a, str>),
    MultiSearch,
    ListDocuments(Cow<'a, str>),
    FetchDocuments(Cow<'a, str>),
    GetDocument(Cow<'a, str>, Cow<'a, str>),
    AddDocuments(Cow<'a, str>),
    UpdateDocuments(Cow<'a, str>),
    DeleteDocuments(Cow<'a, str>),
    DeleteDocument(Cow<'a, str>, Cow<'a, str>),
    DeleteBatch(Cow<'a, str>),
    DeleteByFilter(Cow<'a, str>),
    GetSettings(Cow<'a, str>),
    UpdateSettings(Cow<'a, str>),
    ResetSettings(Cow<'a, str>),
    GetSetting(Cow<'a, str>, SettingName),
    UpdateSetting(Cow<'a, str>, SettingName),
    ResetSetting(Cow<'a, str>, SettingName),
    ListTasks,
    GetTask(Cow<'a, str>),
    /// The plan of a search, for operators.
    Explain,
    /// A node's own API, for operators: the node's name and the path there.
    Node(Cow<'a, str>, &'a str),
    /// An operation of Meilisearch that is not served.
    NotServed,
}

/// Why there is no [`Route`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// Nothing is at that path.
    NotFound,
    /// Something is, but not with that method.
    MethodNotAllowed,
}

impl<'a> Route<'a> {
    /// Reads method and path.
    pub(crate) fn of(method: &Method, path: &'a str) -> Result<Self, NoRoute> {
        if let Some(rest) = path.strip_prefix("/_miroir/nodes/") {
            let at = rest.find('/').ok_or(NoRoute::NotFound)?;
            return Ok(Self::Node(decoded(&rest[..at]), &rest[at..]));
        }
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match segments.as_slice() {
            ["_miroir", "explain"] => only(method, &[(Method::POST, Self::Explain)]),
            ["health"] => only(method, &[(Method::GET, Self::Health)]),
            ["version"] => only(method, &[(Method::GET, Self::Version)]),
            ["stats"] => only(method, &[(Method::GET, Self::Stats)]),
            ["multi-search"] => only(method, &[(Method::POST, Self::MultiSearch)]),
            ["tasks"] => only(method, &[(Method::GET, Self::ListTasks), (Method::DELETE, Self::NotServed)]),
            ["tasks", "cancel" | "compact"] => only(method, &[(Method::POST, Self::NotServed)]),
            ["tasks", uid] => only(method, &[(Method::GET, Self::GetTask(decoded(uid)))]),
            ["indexes"] => {
                only(method, &[(Method::GET, Self::ListIndexes), (Method::POST, Self::CreateIndex)])
            }
            ["indexes", uid, rest @ ..] => Self::in_index(method, decoded(uid), rest),
            _ => Self::elsewhere(&segments),
        }
    }

    fn in_index(method: &Method, uid: Cow<'a, str>, rest: &[&'a str]) -> Result<Self, NoRoute> {
        match rest {
            [] => only(
                method,
                &[
                    (Method::GET, Self::GetIndex(uid.clone())),
                    (Method::PATCH, Self::UpdateIndex(uid.clone())),
                    (Method::DELETE, Self::DeleteIndex(uid)),
                ],
            ),
            ["stats"] => only(method, &[(Method::GET, Self::IndexStats(uid))]),
            ["search"] => only(
                method,
                &[(Method::GET, Self::SearchByUrl(uid.clone())), (Method::POST, Self::Search(uid))],
            ),
            ["documents", rest @ ..] => Self::in_documents(method, uid, rest),
            ["settings", rest @ ..] => Self::in_settings(method, uid, rest),
            ["facet-search"] => only(method, &[(Method::POST, Self::FacetSearch(uid))]),
            ["fields"] => only(method, &[(Method::POST, Self::Fields(uid))]),
            ["compact"] => only(method, &[(Method::POST, Self::NotServed)]),
            ["similar"] => only(method, &[(Method::GET, Self::NotServed), (Method::POST, Self::NotServed)]),
            _ => Err(NoRoute::NotFound),
        }
    }

    fn in_documents(method: &Method, uid: Cow<'a, str>, rest: &[&'a str]) -> Result<Self, NoRoute> {
        match rest {
            [] => only(
                method,
                &[
                    (Method::GET, Self::ListDocuments(uid.clone())),
                    (Method::POST, Self::AddDocuments(uid.clone())),
                    (Method::PUT, Self::UpdateDocuments(uid.clone())),
                    (Method::DELETE, Self::DeleteDocuments(uid)),
                ],
            ),
            ["fetch"] if *method == Method::POST => Ok(Self::FetchDocuments(uid)),
            ["delete-batch"] if *method == Method::POST => Ok(Self::DeleteBatch(uid)),
            ["delete"] if *method == Method::POST => Ok(Self::DeleteByFilter(uid)),
            ["edit"] if *method == Method::POST => Ok(Self::NotServed),
            [id] => only(
                method,
                &[
                    (Method::GET, Self::GetDocument(uid.clone(), decoded(id))),
                    (Method::DELETE, Self::DeleteDocument(uid, decoded(id))),
                ],
            ),
            _ => Err(NoRoute::NotFound),
        }
    }

    fn in_settings(method: &Method, uid: Cow<'a, str>, rest: &[&'a str]) -> Result<Self, NoRoute> {
        match rest {
            [] => only(
                method,
                &[
                    (Method::GET, Self::GetSettings(uid.clone())),
                    (Method::PATCH, Self::UpdateSettings(uid.clone())),
                    (Method::DELETE, Self::ResetSettings(uid)),
                ],
            ),
            [name] => {
                let name = SettingName::from_route(name).ok_or(NoRoute::NotFound)?;
                let change = match name.update_method() {
                    UpdateMethod::Put => Method::PUT,
                    UpdateMethod::Patch => Method::PATCH,
                };
                only(
                    method,
                    &[
                        (Method::GET, Self::GetSetting(uid.clone(), name)),
                        (change, Self::UpdateSetting(uid.clone(), name)),
                        (Method::DELETE, Self::ResetSetting(uid, name)),
                    ],
                )
            }
            _ => Err(NoRoute::NotFound),
        }
    }

    /// The rest of Meilisearch's API.
    fn elsewhere(segments: &[&str]) -> Result<Self, NoRoute> {
        match segments {
            ["batches" | "keys" | "chats" | "dynamic-search-rules" | "webhooks" | "network" | "logs", ..]
            | [
                "swap-indexes"
                | "dumps"
                | "snapshots"
                | "export"
                | "metrics"
                | "experimental-features"
                | "render-template",
            ] => Ok(Self::NotServed),
            _ => Err(NoRoute::NotFound),
        }
    }
}

fn only<'a>(method: &Method, routes: &[(Method, Route<'a>)]) -> Result<Route<'a>, NoRoute> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let found = routes.iter().find(|(of, _)| of == method);
    found.map(|(_, route)| route.clone()).ok_or(NoRoute::MethodNotAllowed)
}

fn decoded(segment: &str) -> Cow<'_, str> {
    percent_decode_str(segment).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_from_the_path() {
        let document = Route::of(&Method::GET, "/indexes/movies/documents/a%2Db");
        assert_eq!(document, Ok(Route::GetDocument("movies".into(), "a-b".into())));
        let node = Route::of(&Method::POST, "/_miroir/nodes/n1/indexes/movies/search");
        assert_eq!(node, Ok(Route::Node("n1".into(), "/indexes/movies/search")));
    }

    #[test]
    fn another_method_is_not_another_path() {
        assert_eq!(Route::of(&Method::PUT, "/indexes/movies/search"), Err(NoRoute::MethodNotAllowed));
        assert_eq!(Route::of(&Method::GET, "/nope"), Err(NoRoute::NotFound));
        assert_eq!(Route::of(&Method::GET, "/multi-search"), Err(NoRoute::MethodNotAllowed));
        assert_eq!(Route::of(&Method::HEAD, "/health"), Ok(Route::Health));
    }

    #[test]
    fn settings_have_the_method_meilisearch_gives_them() {
        let by = |method, name| Route::of(&method, name).is_ok();
        assert!(by(Method::PUT, "/indexes/i/settings/stop-words"));
        assert!(!by(Method::PATCH, "/indexes/i/settings/stop-words"));
        assert!(by(Method::PATCH, "/indexes/i/settings/faceting"));
        assert!(!by(Method::PUT, "/indexes/i/settings/faceting"));
    }
}
