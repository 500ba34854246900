//! What is asked of a node, and what it answers, whole in memory.

use bytes::{Bytes, BytesMut};
use http::{Method, Response, StatusCode, Uri, uri::PathAndQuery};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::{body::PooledBody, connect::Sender, error::NodeError, exchange::ONE_WRITE, pool::Lease};

/// A request whose body is in memory, so that it can be sent again on another connection.
#[derive(Clone, Debug)]
pub struct NodeRequest {
    /// The method.
    pub method: Method,
    /// Path and query.
    pub path: Uri,
    /// The body; JSON where it is not empty.
    pub body: Bytes,
    /// Whether sending it twice is as good as once.
    pub idempotent: bool,
    /// Header fields beside those that all requests have: whole lines.
    pub fields: &'static [u8],
}

/// A whole answer in memory.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body's bytes.
    pub body: Bytes,
}

// === impl NodeRequest ===

impl NodeRequest {
    /// A `GET`.
    pub fn get(path: Uri) -> Self {
        Self { method: Method::GET, path, body: Bytes::new(), idempotent: true, fields: &[] }
    }

    /// A read by `POST` of JSON: a search, a fetch.
    pub fn query(path: Uri, json: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, path, body: json.into(), idempotent: true, fields: &[] }
    }

    /// A write of JSON, or of nothing.
    pub fn write(method: Method, path: Uri, json: impl Into<Bytes>) -> Self {
        Self { method, path, body: json.into(), idempotent: false, fields: &[] }
    }

    /// The same, as of somebody who merges the answers of several nodes: hits tell what they were weighed with. Nodes do
    /// so while their feature `network` is on, and refuse the request while it is not.
    pub fn for_merge(self) -> Self {
        Self { fields: b"meili-proxy-search: true\r\n", ..self }
    }

    /// The head to send before the body, with the fields that all requests to the node have: whole lines.
    pub(crate) fn head(&self, fields: &[u8]) -> BytesMut {
        let path = self.path.path_and_query().map_or("/", PathAndQuery::as_str);
        let mut head =
            BytesMut::with_capacity(path.len() + fields.len() + self.body.len().min(ONE_WRITE) + 128);
        let method = self.method.as_str().as_bytes();
        for part in [method, b" ", path.as_bytes(), b" HTTP/1.1\r\n", fields, self.fields] {
            head.extend_from_slice(part);
        }
        if !self.body.is_empty() {
            head.extend_from_slice(b"content-type: application/json\r\n");
        }
        if !self.body.is_empty() || self.method != Method::GET {
            head.extend_from_slice(b"content-length: ");
            head.extend_from_slice(self.body.len().to_string().as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

// === impl Answer ===

impl Answer {
    /// Reads a whole answer of at most `limit` bytes. The connection is closed where it is longer.
    pub(crate) async fn read(
        response: Response<Incoming>,
        lease: Lease<Sender>,
        limit: usize,
    ) -> Result<Self, NodeError> {
        let status = response.status();
        let mut body = PooledBody::new(response.into_body(), lease);
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if expected > limit {
            return Err(NodeError::TooLarge(limit));
        }
        let Some(first) = next_data(&mut body).await? else { return Ok(Self { status, body: Bytes::new() }) };
        if first.len() > limit {
            return Err(NodeError::TooLarge(limit));
        }
        if body.is_end_stream() {
            return Ok(Self { status, body: first });
        }
        let mut whole = BytesMut::with_capacity(expected.max(first.len() * 2));
        whole.extend_from_slice(&first);
        while let Some(data) = next_data(&mut body).await? {
            if whole.len() + data.len() > limit {
                return Err(NodeError::TooLarge(limit));
            }
            whole.extend_from_slice(&data);
        }
        Ok(Self { status, body: whole.freeze() })
    }
}

async fn next_data(body: &mut PooledBody) -> Result<Option<Bytes>, NodeError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(NodeError::Http)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
