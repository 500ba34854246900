//! A node that answers searches from memory: the first time a search or a listing is asked, the answer comes from a real
//! node, and is given for every further one, whatever it asks. Everything else goes to the real node. So the cost of a
//! gateway is measured against real answers, without the nodes' own work drowning it.
//!
//! `canned-node ADDRESS NODE KEY`

use std::{
    collections::HashMap,
    convert::Infallible,
    env,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use miroir_nodes::{Node, NodeConfig, full};
use tokio::net::TcpListener;

type Canned = Arc<Mutex<HashMap<String, Bytes>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: canned-node ADDRESS NODE KEY";
    let mut arguments = env::args().skip(1);
    let address = arguments.next().ok_or(usage)?;
    let node = Node::new(NodeConfig {
        name: "node".to_owned(),
        authority: arguments.next().ok_or(usage)?,
        key: Some(arguments.next().ok_or(usage)?),
        connect_timeout: Duration::from_secs(2),
        max_idle: 8,
        max_answer: 1 << 30,
    })
    .ok_or("no such node")?;
    let listener = TcpListener::bind(address).await?;
    let canned = Canned::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (node, canned) = (node.clone(), canned.clone());
        let service = service_fn(move |request| answer(node.clone(), canned.clone(), request));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    node: Node,
    canned: Canned,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let can = path.ends_with("/search") || (*request.method() == Method::GET && path.ends_with("/documents"));
    let kept = canned.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
    if let Some(body) = kept {
        return Ok(json(StatusCode::OK, body));
    }
    let (status, body) = match ask(&node, request).await {
        Ok(answered) => answered,
        Err(error) => (StatusCode::BAD_GATEWAY, Bytes::from(error.to_string())),
    };
    if can && status.is_success() {
        canned.lock().unwrap_or_else(PoisonError::into_inner).insert(path, body.clone());
    }
    Ok(json(status, body))
}

async fn ask(
    node: &Node,
    request: Request<Incoming>,
) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let mut sent = Request::new(full(body.collect().await?.to_bytes()));
    *sent.method_mut() = parts.method;
    *sent.uri_mut() = parts.uri;
    *sent.headers_mut() = HeaderMap::from_iter(
        parts.headers.get(header::CONTENT_TYPE).map(|value| (header::CONTENT_TYPE, value.clone())),
    );
    let response = node.send(sent).await?;
    Ok((response.status(), response.into_body().collect().await?.to_bytes()))
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
