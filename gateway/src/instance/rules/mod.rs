//! Dynamic search rules: kept by the gateway, told to every node.
//!
//! A change is a task, done at its place in the log: it succeeds once every node that is up has the rules. Nodes apply
//! them to their own documents and say which hits are pinned; the merge gives these their places among all hits.

mod told;

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{StatusCode, Uri};
use miroir_log::{Log, LogError, NewEntry, Operation, RecordKind};
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    documents::ChangeDocuments,
    error::{Code, ResponseError},
    features::DYNAMIC_SEARCH_RULES,
    index_uid::IndexUid,
    indexes::Paginated,
    rules::{ListRules, Rule, RuleUpdate},
};
use time::OffsetDateTime;

pub(super) use self::told::tell;
use super::{
    any_node::ask_any_node,
    mirror::{Wanted, Wish},
    not_supported,
};
use crate::{
    answer::{Answer, json},
    state::Gateway,
    write::{Writing, log_error},
};

/// Under which name the rules are wanted of the nodes: behind the features, one of which they need.
const WANTED: &str = "rules";
/// The member of the experimental features that a node has whose version knows rules.
pub(super) const FEATURE: &str = "dynamicSearchRules";
/// Where nodes list rules.
const PATH: &str = "/dynamic-search-rules";
/// The index that tasks about rules are said to be for, as in Meilisearch: no client can have one of that name.
pub(crate) const INDEX: &str = ".meili_dsr";
/// What needs rules to be on, in Meilisearch's words.
const ROUTES: &str = "Using the `/dynamic-search-rules` routes";

/// All rules, by their names.
pub(crate) type Rules = BTreeMap<String, Rule>;

/// The rules as they are now. Cheap to read.
#[derive(Debug, Default)]
pub(crate) struct RuleBook(ArcSwap<Rules>);

impl RuleBook {
    /// The rules as they were left.
    pub(crate) async fn load(log: &dyn Log) -> Result<Self, LogError> {
        let records = log.records(RecordKind::Rule).await?;
        let rules = records.into_iter().map(|(uid, record)| match serde_json::from_value(record) {
            Ok(rule) => Ok((uid, rule)),
            Err(error) => Err(LogError::Damaged(format!("rule {uid}: {error}"))),
        });
        Ok(Self(ArcSwap::from_pointee(rules.collect::<Result<_, _>>()?)))
    }

    /// All of them.
    pub(crate) fn all(&self) -> Arc<Rules> {
        self.0.load_full()
    }

    /// Whether a search in this index may have hits that a rule has pinned.
    pub(crate) fn may_pin_in(&self, index: &str) -> bool {
        let rules = self.0.load();
        let mut actions = rules.values().filter(|rule| rule.active).flat_map(|rule| &rule.actions);
        actions.any(|action| action.selector.index_uid.as_deref().is_none_or(|uid| uid == index))
    }
}

/// What nodes are told.
pub(crate) fn of_nodes(gateway: &Gateway) -> Wanted {
    Wanted { name: WANTED.to_owned(), wish: Wish::Rules(gateway.rules.0.load_full()) }
}

/// `POST /dynamic-search-rules`. Which rules some words find, a node says; what the rules are is known here.
pub(crate) async fn list(gateway: &Gateway, body: &Bytes) -> Answer {
    ListRules::from_json(body)?;
    check(gateway, "Calling the `POST /dynamic-search-rules` route")?;
    let request = NodeRequest::query(Uri::from_static(PATH), body.clone());
    let found = ask_any_node(gateway, &[], &request).await?;
    let mut page: Paginated<Rule> = serde_json::from_slice(&found).map_err(|error| {
        tracing::error!(%error, "a list of rules cannot be read");
        ResponseError::new(Code::MiroirNodeError, "A node's list of rules cannot be read.")
    })?;
    let rules = gateway.rules.0.load();
    for rule in &mut page.results {
        if let Some(kept) = rules.get(&rule.uid) {
            rule.clone_from(kept);
        }
    }
    Ok(json(StatusCode::OK, &page))
}

/// `GET /dynamic-search-rules/{uid}`.
pub(crate) fn show(gateway: &Gateway, uid: &str) -> Answer {
    let uid = IndexUid::from_path(uid)?;
    check(gateway, "Calling the `GET /dynamic-search-rules/{:ruleUid}` route")?;
    match gateway.rules.0.load().get(uid.as_str()) {
        Some(rule) => Ok(json(StatusCode::OK, rule)),
        None => {
            let message = format!("Dynamic search rule `{uid}` not found.");
            Err(ResponseError::new(Code::DynamicSearchRuleNotFound, message))
        }
    }
}

/// `PATCH /dynamic-search-rules/{uid}`.
pub(crate) async fn update(write: Writing<'_>, uid: &str, body: &Bytes) -> Answer {
    let uid = IndexUid::from_path(uid)?;
    let metadata = ChangeDocuments::from_query_string(write.query)?.custom_metadata;
    let update = RuleUpdate::from_json(body)?;
    check(write.gateway, ROUTES)?;
    let change = serde_json::to_value(update).map_err(|error| unreadable(&error))?;
    enqueue(write, Operation::RuleUpdate { rule: uid.into_inner(), change: Some(change) }, metadata).await
}

/// `DELETE /dynamic-search-rules/{uid}`.
pub(crate) async fn delete(write: Writing<'_>, uid: &str) -> Answer {
    let uid = IndexUid::from_path(uid)?;
    let metadata = ChangeDocuments::from_query_string(write.query)?.custom_metadata;
    check(write.gateway, ROUTES)?;
    enqueue(write, Operation::RuleUpdate { rule: uid.into_inner(), change: None }, metadata).await
}

/// `DELETE /dynamic-search-rules`.
pub(crate) async fn clear(write: Writing<'_>) -> Answer {
    let metadata = ChangeDocuments::from_query_string(write.query)?.custom_metadata;
    check(write.gateway, ROUTES)?;
    enqueue(write, Operation::RuleClear, metadata).await
}

/// Does what a task says about one rule. Done twice, it is done once: the time of the change is the task's.
pub(crate) async fn change(
    gateway: &Gateway,
    uid: &str,
    change: Option<serde_json::Value>,
    at: OffsetDateTime,
) -> Result<(), ResponseError> {
    let mut rules = Rules::clone(&gateway.rules.0.load());
    match change {
        Some(change) => {
            let update: RuleUpdate = serde_json::from_value(change).map_err(|error| unreadable(&error))?;
            let rule = rules.entry(uid.to_owned()).or_insert_with(|| Rule::new(uid));
            rule.apply(update, at);
            let record = serde_json::to_value(&*rule).map_err(|error| unreadable(&error))?;
            let kept = gateway.log.put_record(RecordKind::Rule, uid, record).await;
            kept.map_err(|error| log_error(&error))?;
        }
        None => {
            rules.remove(uid);
            forget(gateway, uid).await?;
        }
    }
    publish(gateway, rules).await;
    Ok(())
}

/// Deletes every rule and says how many there were.
pub(crate) async fn delete_all(gateway: &Gateway) -> Result<usize, ResponseError> {
    let rules = gateway.rules.0.load_full();
    for uid in rules.keys() {
        forget(gateway, uid).await?;
    }
    publish(gateway, Rules::new()).await;
    Ok(rules.len())
}

async fn forget(gateway: &Gateway, uid: &str) -> Result<(), ResponseError> {
    let forgotten = gateway.log.delete_record(RecordKind::Rule, uid).await;
    forgotten.map(drop).map_err(|error| log_error(&error))
}

/// Makes these the rules, and tells the nodes that are up.
async fn publish(gateway: &Gateway, rules: Rules) {
    // Places among hits are looked for as long as any node may still pin.
    let now = Arc::new(rules);
    if !now.is_empty() {
        gateway.rules.0.store(now.clone());
    }
    gateway.mirror.want(Wanted { name: WANTED.to_owned(), wish: Wish::Rules(now.clone()) });
    gateway.mirror.settle(gateway).await;
    gateway.rules.0.store(now);
}

async fn enqueue(write: Writing<'_>, operation: Operation, custom_metadata: Option<String>) -> Answer {
    let entry = NewEntry { index_uid: Some(INDEX.to_owned()), operation, custom_metadata };
    Ok(json(StatusCode::ACCEPTED, &write.append(entry).await?))
}

/// Refuses what needs rules while they are off, or where a node's version has none.
fn check(gateway: &Gateway, doing: &str) -> Result<(), ResponseError> {
    if !gateway.features.now().dynamic_search_rules {
        return Err(DYNAMIC_SEARCH_RULES.needed_for(doing));
    }
    match gateway.mirror.lacks(FEATURE) {
        Some(node) => {
            Err(not_supported(format!("Node `{node}` has no dynamic search rules in its version.")))
        }
        None => Ok(()),
    }
}

fn unreadable(error: &serde_json::Error) -> ResponseError {
    ResponseError::new(Code::Internal, format!("The rule cannot be kept: {error}."))
}
