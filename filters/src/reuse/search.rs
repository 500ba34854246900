//! A search whose body has been read.

use bytes::Bytes;
use http::{Request, request::Parts};
use http_body_util::{BodyExt, Full};

use super::SearchKey;
use crate::{
    Epoch,
    body::{Body, BoxError, box_body},
};

/// A search, and what it has in common with others.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) key: SearchKey,
    parts: Parts,
    body: Bytes,
}

// === impl Search ===

impl Search {
    /// Reads a request that [suits](SearchKey::suits), then looks at the epoch: what changes while the answer is made may be
    /// in it or not.
    pub(crate) async fn read(request: Request<Body>, epoch: &Epoch) -> Result<Self, BoxError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Self { key: SearchKey::new(&parts, &body, epoch.now()), parts, body })
    }

    /// The request, to be sent on.
    pub(crate) fn request(&self) -> Request<Body> {
        self.clone().into_request().1
    }

    /// The key, and the request for whoever sends it on once.
    pub(crate) fn into_request(self) -> (SearchKey, Request<Body>) {
        (self.key, Request::from_parts(self.parts, box_body(Full::new(self.body))))
    }
}
