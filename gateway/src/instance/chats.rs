//! Chat workspaces: their settings are kept by the gateway and told to every node.
//!
//! What a workspace's settings may be is for the nodes to say, whose version has chats or has not: the first node that can
//! be asked takes or refuses a change, and only then it is kept.

use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use miroir_log::RecordKind;
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    chats::{Workspace, WorkspaceChange},
    error::{Code, ResponseError},
    features::CHAT_COMPLETIONS,
    index_uid::IndexUid,
    indexes::Page,
    parse,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{
    any_node::ask_any_node,
    mirror::{Wanted, Wish},
    not_supported,
};
use crate::{
    answer::{Answer, empty, json as answer_json, json_bytes},
    state::Gateway,
    write::log_error,
};

/// What is kept of a workspace that was deleted: nodes that were away still have to be told.
const DELETED: &str = "deleted";

/// Refuses what needs chats while they are off.
pub(crate) fn check(gateway: &Gateway, doing: &str) -> Result<(), ResponseError> {
    if gateway.features.now().chat_completions { Ok(()) } else { Err(CHAT_COMPLETIONS.needed_for(doing)) }
}

/// `GET /chats`.
pub(crate) async fn list(gateway: &Gateway, query: &str) -> Answer {
    let page = Page::from_query_string(query)?;
    check(gateway, "listing the chats")?;
    let records = gateway.log.records(RecordKind::Chat).await.map_err(|error| log_error(&error))?;
    let there = records.into_iter().filter(|(_, record)| !is_deleted(record));
    let views: Vec<Value> = there.map(|(uid, _)| json!({ "uid": uid })).collect();
    Ok(answer_json(StatusCode::OK, &page.of(views.into_iter())))
}

/// `GET /chats/{uid}`.
pub(crate) async fn show(gateway: &Gateway, uid: &str) -> Answer {
    check(gateway, "displaying a chat")?;
    let uid = IndexUid::from_path(uid)?;
    kept(gateway, uid.as_str()).await?.ok_or_else(|| gone(format!("chat {} not found", uid.as_str())))?;
    Ok(answer_json(StatusCode::OK, &json!({ "uid": uid.as_str() })))
}

/// `DELETE /chats/{uid}`.
pub(crate) async fn delete(gateway: &Gateway, uid: &str) -> Answer {
    check(gateway, "deleting a chat")?;
    kept(gateway, uid).await?.ok_or_else(|| gone(format!("chat {uid} not found")))?;
    keep(gateway, uid, json!({ DELETED: true })).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `GET /chats/{uid}/settings`.
pub(crate) async fn settings(gateway: &Gateway, uid: &str) -> Answer {
    check(gateway, "using the /chats/settings route")?;
    kept(gateway, uid).await?.ok_or_else(|| gone(format!("Chat `{uid}` not found")))?;
    of_a_node(gateway, Method::GET, uid, Bytes::new()).await
}

/// `PATCH /chats/{uid}/settings`.
pub(crate) async fn update(gateway: &Gateway, uid: &str, body: &Bytes) -> Answer {
    let change = parse::json_value(body)?;
    check(gateway, "using the /chats/settings route")?;
    let answer = of_a_node(gateway, Method::PATCH, uid, body.clone()).await?;
    let mut record = kept(gateway, uid).await?.unwrap_or_else(|| json!({}));
    merge(&mut record, change);
    keep(gateway, uid, record).await?;
    Ok(answer)
}

/// `DELETE /chats/{uid}/settings`.
pub(crate) async fn reset(gateway: &Gateway, uid: &str) -> Answer {
    check(gateway, "using the /chats/settings route")?;
    kept(gateway, uid).await?.ok_or_else(|| gone(format!("Chat `{uid}` not found")))?;
    let answer = of_a_node(gateway, Method::DELETE, uid, Bytes::new()).await?;
    let members =
        ["source", "orgId", "projectId", "apiVersion", "deploymentId", "baseUrl", "apiKey", "prompts"];
    let reset: Map<String, Value> = members.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    keep(gateway, uid, Value::Object(reset)).await?;
    Ok(answer)
}

/// The workspace of a conversation, with its secrets.
pub(crate) async fn workspace(gateway: &Gateway, uid: &str) -> Result<Workspace, ResponseError> {
    let record = kept(gateway, uid).await?.ok_or_else(|| gone(format!("Chat `{uid}` not found")))?;
    // What was kept was taken by a node, which may know more than this version does.
    let change = WorkspaceChange::from_json(record.to_string().as_bytes());
    change.and_then(|change| Workspace::default().changed(change)).map_err(|error| {
        not_supported(format!("The chat `{uid}` cannot be served by this version of Miroir: {error}"))
    })
}

/// The settings of every workspace, as a dump has them: a node says what a client has not set, and hides only the key.
pub(crate) async fn kept_settings(gateway: &Gateway) -> Result<Vec<(String, Value)>, ResponseError> {
    let records = gateway.log.records(RecordKind::Chat).await.map_err(|error| log_error(&error))?;
    let mut all = Vec::new();
    for (uid, mut kept) in records.into_iter().filter(|(_, record)| !is_deleted(record)) {
        without_nulls(&mut kept);
        let whole = match settings_path(&uid) {
            Ok(path) => ask_any_node(gateway, &[], &NodeRequest::get(path)).await.ok(),
            Err(_) => None,
        };
        let mut whole = whole.and_then(|whole| serde_json::from_slice(&whole).ok()).unwrap_or(Value::Null);
        without_nulls(&mut whole);
        if whole.is_object() {
            merge(&mut whole, kept);
            kept = whole;
        }
        all.push((uid, kept));
    }
    Ok(all)
}

/// What nodes are told of the workspaces that were kept.
pub(crate) async fn wanted(gateway: &Gateway) -> Result<Vec<Wanted>, miroir_log::LogError> {
    let records = gateway.log.records(RecordKind::Chat).await?;
    Ok(records.into_iter().map(|(uid, record)| of_nodes(&uid, record)).collect())
}

fn of_nodes(uid: &str, record: Value) -> Wanted {
    let name = format!("chat {uid}");
    let uid = utf8_percent_encode(uid, NON_ALPHANUMERIC);
    let wish = if is_deleted(&record) {
        Wish::Request { method: Method::DELETE, path: format!("/chats/{uid}"), body: None }
    } else {
        Wish::Request { method: Method::PATCH, path: format!("/chats/{uid}/settings"), body: Some(record) }
    };
    Wanted { name, wish }
}

async fn kept(gateway: &Gateway, uid: &str) -> Result<Option<Value>, ResponseError> {
    let record = gateway.log.record(RecordKind::Chat, uid).await.map_err(|error| log_error(&error))?;
    Ok(record.filter(|record| !is_deleted(record)))
}

async fn keep(gateway: &Gateway, uid: &str, record: Value) -> Result<(), ResponseError> {
    let kept = gateway.log.put_record(RecordKind::Chat, uid, record.clone()).await;
    kept.map_err(|error| log_error(&error))?;
    gateway.mirror.want(of_nodes(uid, record));
    gateway.mirror.settle(gateway).await;
    Ok(())
}

fn is_deleted(record: &Value) -> bool {
    record.get(DELETED) == Some(&Value::Bool(true))
}

fn gone(message: String) -> ResponseError {
    ResponseError::new(Code::ChatNotFound, message)
}

/// Members of a change over those that were there, and of prompts one by one; `null` stays, as it is what resets.
fn merge(record: &mut Value, change: Value) {
    let (Value::Object(record), Value::Object(change)) = (record, change) else { return };
    for (name, value) in change {
        match (record.get_mut(&name), value) {
            (Some(Value::Object(before)), Value::Object(members)) => before.extend(members),
            (_, value) => _ = record.insert(name, value),
        }
    }
}

fn without_nulls(value: &mut Value) {
    let Value::Object(members) = value else { return };
    members.retain(|_, member| !member.is_null());
    members.values_mut().for_each(without_nulls);
}

fn settings_path(uid: &str) -> Result<Uri, ResponseError> {
    let path = format!("/chats/{}/settings", utf8_percent_encode(uid, NON_ALPHANUMERIC));
    path.parse().map_err(|_| gone(format!("Chat `{uid}` not found")))
}

/// What a node says about the settings of a workspace.
async fn of_a_node(gateway: &Gateway, method: Method, uid: &str, body: Bytes) -> Answer {
    let path = settings_path(uid)?;
    let answer = ask_any_node(gateway, &[], &NodeRequest::write(method, path, body)).await?;
    Ok(json_bytes(StatusCode::OK, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_add_up() {
        let mut record = json!({ "source": "openAi", "prompts": { "system": "a", "searchQParam": "b" } });
        merge(&mut record, json!({ "apiKey": null, "prompts": { "system": "c" } }));
        let expected =
            json!({ "source": "openAi", "prompts": { "system": "c", "searchQParam": "b" }, "apiKey": null });
        assert_eq!(record, expected);
    }
}
