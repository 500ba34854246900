//! A node at a port of this machine.

use std::sync::Arc;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::{
    FakeNode,
    routes::{Answer, Dropped, answer, refusal},
};

/// Serves until its runtime ends. While the node is down every connection is closed, and every new one.
pub(super) async fn serve(listener: TcpListener, node: FakeNode) {
    let node = Arc::new(node);
    while let Ok((stream, _)) = listener.accept().await {
        if node.is_down() {
            continue;
        }
        let node = node.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| serve_one(&node, request));
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                _ = connection => {}
                () = node.goes_down() => {}
            }
        });
    }
}

async fn serve_one(node: &FakeNode, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let Ok(body) = body.collect().await else { return Err(Dropped) };
    node.goes_on().await;
    if node.is_failing() {
        return Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "internal", "An internal error."));
    }
    node.with_state(|state| answer(state, &head.method, &head.uri, &body.to_bytes()))
}
