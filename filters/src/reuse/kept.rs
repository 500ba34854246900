//! An answer that can be given any number of times.

use bytes::Bytes;
use http::{Response, response};
use http_body_util::{BodyExt, Full};

use crate::{
    body::{Body, BoxError, box_body},
    extensions::Reusable,
};

/// An answer with its whole body. Clones share the body.
#[derive(Clone, Debug)]
pub(crate) struct KeptAnswer {
    parts: response::Parts,
    body: Bytes,
}

// === impl KeptAnswer ===

impl KeptAnswer {
    /// Whether whoever made the answer lets others have it.
    pub(crate) fn may_be_kept(response: &Response<Body>) -> bool {
        response.extensions().get::<Reusable>().is_some()
    }

    /// Reads the answer to its end.
    pub(crate) async fn of(response: Response<Body>) -> Result<Self, BoxError> {
        let (parts, body) = response.into_parts();
        Ok(Self { parts, body: body.collect().await?.to_bytes() })
    }

    /// The answer once more.
    pub(crate) fn response(&self) -> Response<Body> {
        Response::from_parts(self.parts.clone(), box_body(Full::new(self.body.clone())))
    }

    /// How many bytes its body has.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }
}
