//! The listener for operators: health of the parts, the fleet, metrics.

use std::convert::Infallible;

use http::{Method, Request, Response, StatusCode, header};
use miroir_edge::RequestBody;
use miroir_filters::{Body, Deps};
use miroir_nodes::{Health, HealthState};
use serde_json::{Value, json};
use tower::{service_fn, util::BoxCloneSyncService};

use crate::{
    answer::{empty, json as answer_json, json_bytes},
    state::Gateway,
};

/// A node that is so many entries behind is catching up.
const CATCHING_UP: u32 = 256;

/// What the operators' listener serves.
pub(crate) fn build(
    gateway: Gateway,
    deps: &Deps,
) -> BoxCloneSyncService<Request<RequestBody>, Response<Body>, Infallible> {
    let metrics = deps.metrics.clone();
    BoxCloneSyncService::new(service_fn(move |request: Request<RequestBody>| {
        let response = if request.method() != Method::GET {
            empty(StatusCode::METHOD_NOT_ALLOWED)
        } else {
            match request.uri().path() {
                "/health" => json_bytes(StatusCode::OK, r#"{"status":"available"}"#),
                "/nodes" => answer_json(StatusCode::OK, &nodes(&gateway)),
                "/metrics" => text(metrics.text()),
                _ => empty(StatusCode::NOT_FOUND),
            }
        };
        std::future::ready(Ok(response))
    }))
}

/// Every node: where it is, how it is, how far it is.
pub(crate) fn nodes(gateway: &Gateway) -> Value {
    let topology = gateway.topology.load();
    let written = gateway.log.positions().next;
    let nodes = topology.map.nodes().iter().enumerate().map(|(number, node)| {
        let client = topology.fleet.get(&node.name);
        let state = client.map(|client| client.health().state());
        let id = topology.map.node_id(&node.name);
        let applied = gateway.progress.applied(&node.name);
        let mut entry = json!({
            "name": node.name,
            "number": number,
            "group": topology.map.groups().get(usize::from(node.group)).map(|group| group.name.clone()),
            "address": client.map(|client| client.authority().to_owned()),
            "state": standing(gateway, client.map(|client| client.health()), &node.name, written.saturating_sub(applied)),
            "shards": id.map_or(0, |id| topology.map.shards_of(id).count()),
            "applied": applied,
            "behind": written.saturating_sub(applied),
        });
        let left_out = gateway.progress.left_out(&node.name);
        if !left_out.is_empty() {
            entry["notReadFor"] = json!(left_out);
        }
        if let Some(reason) = state.as_ref().and_then(HealthState::reason) {
            entry["reason"] = json!(reason);
        }
        entry
    });
    json!({ "epoch": topology.map.epoch(), "log": written, "nodes": nodes.collect::<Vec<_>>() })
}

/// The state of a node in a word: what is wrong with it, or else what it is at.
fn standing(gateway: &Gateway, health: Option<&Health>, name: &str, behind: u32) -> &'static str {
    let Some(health) = health else { return "unknown" };
    match health.state() {
        HealthState::Up if gateway.rebalancer.is_filling(name) => "filling",
        HealthState::Up if gateway.rebalancer.is_giving(name) => "draining",
        HealthState::Up if !health.is_trusted() => "unverified",
        HealthState::Up if behind > CATCHING_UP => "catching up",
        state => state.name(),
    }
}

fn text(text: String) -> Response<Body> {
    let mut response = json_bytes(StatusCode::OK, text);
    let kind = http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
