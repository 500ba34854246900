//! Which searches are the same.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Method, Request, header, request::Parts};
use http_body::Body as HttpBody;

use crate::{auth::Access, route_class::RouteClass};

/// The largest body of a search that is looked at, in bytes.
const MAX_BODY: u64 = 64 << 10;

/// What a search is answered by besides its path, query and body.
const HEADERS: [HeaderName; 2] = [header::CONTENT_TYPE, HeaderName::from_static("miroir-partial")];

/// Headers that make an answer one of its own: a body that nobody has unpacked, and the wish for an id of the search.
const OWN: [HeaderName; 2] = [header::CONTENT_ENCODING, HeaderName::from_static("meili-include-metadata")];

/// Everything that the answer to a search depends on. Equal keys have equal answers: it is what was sent, and no hash of
/// it, since the answers of one tenant must not come to another by chance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SearchKey(Arc<[u8]>);

// === impl SearchKey ===

impl SearchKey {
    /// Whether a request is a search that others may have the answer of, by what is known before its body is read.
    pub(crate) fn suits<B: HttpBody>(request: &Request<B>) -> bool {
        matches!(RouteClass::of(request.uri().path()), RouteClass::Search | RouteClass::MultiSearch)
            && matches!(*request.method(), Method::GET | Method::POST)
            && request.body().size_hint().upper().is_some_and(|size| size <= MAX_BODY)
            && OWN.iter().all(|header| !request.headers().contains_key(header))
    }

    /// The key of a search that [suits](Self::suits), in an epoch.
    pub(crate) fn new(parts: &Parts, body: &Bytes, epoch: u64) -> Self {
        let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
        let mut key = Vec::with_capacity(64 + target.len() + body.len());
        key.extend_from_slice(&epoch.to_le_bytes());
        let mut part = |bytes: &[u8]| {
            // With its length before it, no part can be taken for the beginning of the next.
            key.extend_from_slice(&bytes.len().to_le_bytes());
            key.extend_from_slice(bytes);
        };
        part(parts.method.as_str().as_bytes());
        part(target.as_bytes());
        for header in &HEADERS {
            let values = parts.headers.get_all(header).iter();
            values.for_each(|value| part(value.as_bytes()));
            // Where one header's values end: no value is a zero byte.
            part(&[0]);
        }
        part(&parts.extensions.get::<Access>().map(Access::scope).unwrap_or_default());
        part(body);
        Self(key.into())
    }

    /// How many bytes it takes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    fn search() -> http::request::Builder {
        Request::post("/indexes/movies/search?a=1").header("content-type", "application/json")
    }

    fn key(request: http::request::Builder, body: &'static str, epoch: u64) -> SearchKey {
        let (parts, body) =
            request.body(Bytes::from_static(body.as_bytes())).expect("a request").into_parts();
        SearchKey::new(&parts, &body, epoch)
    }

    #[test]
    fn searches_are_the_same_where_all_that_matters_is() {
        let one = key(search(), "{}", 1);
        assert_eq!(one, key(search().header("user-agent", "other").header("x-request-id", "2"), "{}", 1));
        for other in [
            key(search(), "{ }", 1),
            key(search(), "{}", 2),
            key(search().header("miroir-partial", "allow"), "{}", 1),
            key(search().method("GET"), "{}", 1),
            key(search().uri("/indexes/movies/search?a=2"), "{}", 1),
            key(Request::post("/indexes/movies/search?a=1").header("content-type", "text/plain"), "{}", 1),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(key(Request::get("/ab"), "c", 1), key(Request::get("/a"), "bc", 1));
    }

    #[test]
    fn searches_alone_are_looked_at() {
        let suits = |request: http::request::Builder| {
            SearchKey::suits(&request.body(Full::new(Bytes::from_static(b"{}"))).expect("a request"))
        };
        assert!(suits(search()) && suits(search().uri("/multi-search")));
        assert!(suits(Request::get("/indexes/movies/search?q=a")));
        assert!(!suits(Request::post("/indexes/movies/documents")));
        assert!(!suits(Request::put("/indexes/movies/search")));
        assert!(!suits(search().header("meili-include-metadata", "true")));
        assert!(!suits(search().header("content-encoding", "gzip")));
        let long = Full::new(Bytes::from(vec![b' '; 70_000]));
        assert!(!SearchKey::suits(&search().body(long).expect("a request")));
    }
}
