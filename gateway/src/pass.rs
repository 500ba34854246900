//! Requests that go to one node as they are, bodies streamed both ways.

use http::{HeaderName, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use miroir_filters::{Body, body::box_body};
use miroir_protocol::error::{Code, ResponseError};

use crate::{answer::Answer, state::Gateway};

/// Headers that are about one connection, not about the message.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
];

/// Passes a request to a node's own API. The node's key replaces the client's.
pub(crate) async fn to_node(gateway: &Gateway, name: &str, path: &str, request: Request<Body>) -> Answer {
    let topology = gateway.topology.load();
    let node = topology.fleet.get(name).ok_or_else(|| {
        ResponseError::new(Code::MiroirRouteNotFound, format!("No node is called `{name}`."))
    })?;
    let (mut parts, body) = request.into_parts();
    parts.uri = match parts.uri.query() {
        Some(query) => format!("{path}?{query}").parse::<Uri>(),
        None => path.parse::<Uri>(),
    }
    .map_err(|_| ResponseError::new(Code::BadRequest, format!("`{path}` is not a path.")))?;
    parts.version = http::Version::HTTP_11;
    parts.extensions.clear();
    for name in &HOP_BY_HOP {
        parts.headers.remove(name);
    }
    let sent = Request::from_parts(parts, body.map_err(Into::into).boxed_unsync());
    let timeout = gateway.search.timeout;
    match tokio::time::timeout(timeout, node.send(sent)).await {
        Ok(Ok(response)) => Ok(passed(response.map(box_body))),
        Ok(Err(error)) => {
            tracing::warn!(node = name, %error, "pass-through failed");
            Err(ResponseError::new(Code::MiroirNodeError, format!("Node `{name}` gave no answer: {error}.")))
        }
        Err(_) => Err(ResponseError::new(
            Code::MiroirTimeout,
            format!("Node `{name}` gave no answer within {timeout:?}."),
        )),
    }
}

fn passed(mut response: Response<Body>) -> Response<Body> {
    for name in &HOP_BY_HOP {
        response.headers_mut().remove(name);
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        *response.status_mut() = StatusCode::BAD_GATEWAY;
    }
    response
}
