//! Experimental features: kept by the gateway, told to every node.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Method, StatusCode};
use miroir_log::{Log, LogError, RecordKind};
use miroir_protocol::{
    error::ResponseError,
    features::{EDIT_DOCUMENTS, Feature, Features, FeaturesPatch, TASK_DOCUMENTS},
};
use serde_json::{Value, json};

use super::{
    mirror::{Wanted, Wish},
    rules,
};
use crate::{
    answer::{Answer, json as answer_json},
    state::Gateway,
    write::log_error,
};

/// The one record of its kind.
const RECORD: &str = "features";
/// Under which name the nodes' part is wanted of them.
const WANTED: &str = "features";
const PATH: &str = "/experimental-features";
/// The feature that nodes know since they search in another way unless it is on.
pub(crate) const LEGACY_SEARCH: &str = "legacySearch";

/// Which features are on. Cheap to read.
#[derive(Debug, Default)]
pub(crate) struct FeatureSwitch {
    now: ArcSwap<Features>,
    /// One change after another.
    turn: tokio::sync::Mutex<()>,
}

impl FeatureSwitch {
    /// The features as they were left.
    pub(crate) async fn load(log: &dyn Log) -> Result<Self, LogError> {
        let kept = log.record(RecordKind::Feature, RECORD).await?;
        let features: Features =
            kept.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        Ok(Self { now: ArcSwap::from_pointee(features), turn: tokio::sync::Mutex::default() })
    }

    /// Which features are on now.
    pub(crate) fn now(&self) -> Features {
        **self.now.load()
    }
}

/// What nodes are told: not what the gateway does by itself, and not what would let others change them. Without `network`,
/// they do not tell what they weigh the hits of federated searches with.
pub(crate) fn of_nodes(features: &Features) -> Wanted {
    let body = json!({
        "network": true,
        "metrics": features.metrics,
        "editDocumentsByFunction": features.edit_documents_by_function,
        "containsFilter": features.contains_filter,
        "compositeEmbedders": features.composite_embedders,
        "chatCompletions": features.chat_completions,
        "multimodal": features.multimodal,
        "foreignKeys": features.foreign_keys,
        LEGACY_SEARCH: features.legacy_search,
        "renderRoute": features.render_route,
        "dynamicSearchRules": features.dynamic_search_rules,
    });
    let wish = Wish::Request { method: Method::PATCH, path: PATH.to_owned(), body: Some(body) };
    Wanted { name: WANTED.to_owned(), wish }
}

/// Refuses what a feature has to be on for.
pub(crate) fn check(gateway: &Gateway, feature: Feature, doing: &str) -> Result<(), ResponseError> {
    let features = gateway.features.now();
    let is_on = match feature {
        EDIT_DOCUMENTS => features.edit_documents_by_function,
        TASK_DOCUMENTS => features.get_task_documents_route,
        _ => features.task_queue_compaction_route,
    };
    if is_on { Ok(()) } else { Err(feature.needed_for(doing)) }
}

/// `GET /experimental-features`.
pub(crate) fn show(gateway: &Gateway) -> Answer {
    Ok(answer_json(StatusCode::OK, &gateway.features.now()))
}

/// `PATCH /experimental-features`. Nodes that can be reached have it when this answers; the others are told when they are
/// back.
pub(crate) async fn change(gateway: &Gateway, body: &Bytes) -> Answer {
    let patch = FeaturesPatch::from_json(body)?;
    let switch = &gateway.features;
    let _turn = switch.turn.lock().await;
    let changed = switch.now().patched(&patch);
    let value: Value = serde_json::to_value(changed).map_err(|_| no_record())?;
    let kept = gateway.log.put_record(RecordKind::Feature, RECORD, value).await;
    kept.map_err(|error| log_error(&error))?;
    switch.now.store(Arc::new(changed));
    gateway.mirror.want(of_nodes(&changed));
    // Nodes whose rules were off have not been told of them.
    gateway.mirror.want(rules::of_nodes(gateway));
    gateway.mirror.settle(gateway).await;
    Ok(answer_json(StatusCode::OK, &changed))
}

fn no_record() -> ResponseError {
    ResponseError::new(miroir_protocol::error::Code::Internal, "The features cannot be kept.")
}
