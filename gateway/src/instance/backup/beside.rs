//! What a dump holds beside the clients' indexes: webhooks, the network, chats, and dynamic search rules.

use std::io::{self, Write};

use miroir_log::RecordKind;
use miroir_protocol::{error::ResponseError, rules::Rule};
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Draft, failed};
use crate::{
    instance::{chats, rules},
    state::Gateway,
    write::log_error,
};

/// Puts all of it into the draft.
pub(super) async fn write(
    gateway: &Gateway,
    draft: &Draft,
    now: OffsetDateTime,
) -> Result<(), ResponseError> {
    let records = async |kind| gateway.log.records(kind).await.map_err(|error| log_error(&error));
    let webhooks: Map<String, Value> = records(RecordKind::Webhook).await?.into_iter().collect();
    let network = records(RecordKind::Network).await?.pop();
    let chats = chats::kept_settings(gateway).await?;
    let rules = gateway.rules.all();
    let put = || -> io::Result<()> {
        draft.json("webhooks.json", &json!({ "webhooks": webhooks }))?;
        if let Some((_, network)) = network {
            draft.json("network.json", &network)?;
        }
        for (uid, settings) in &chats {
            draft.json(&format!("chat-completions-settings/{uid}.json"), settings)?;
        }
        if rules.is_empty() { Ok(()) } else { put_rules(draft, rules.values(), now) }
    };
    put().map_err(|error| failed(&error))
}

/// Rules are documents of an index of Meilisearch's own.
fn put_rules<'a>(
    draft: &Draft,
    rules: impl Iterator<Item = &'a Rule>,
    now: OffsetDateTime,
) -> io::Result<()> {
    let directory = format!("indexes/{}", rules::INDEX);
    let now = now.format(&Rfc3339).unwrap_or_default();
    let metadata = json!({ "uid": rules::INDEX, "primaryKey": "uid", "createdAt": now, "updatedAt": now });
    draft.json(&format!("{directory}/metadata.json"), &metadata)?;
    draft.json(&format!("{directory}/settings.json"), &settings_of_rules())?;
    let mut documents = draft.file(&format!("{directory}/documents.jsonl"))?;
    for rule in rules {
        writeln!(documents, "{}", document(rule)?)?;
    }
    documents.flush()
}

/// A rule as Meilisearch stores it: with the number of values that its filter needs.
fn document(rule: &Rule) -> io::Result<Value> {
    let mut document = serde_json::to_value(rule)?;
    if let Some(filter) = document.pointer_mut("/conditions/filter") {
        let constraints = filter.get("values").map_or(0, scalars);
        filter["nbConstraints"] = constraints.into();
    }
    Ok(document)
}

fn scalars(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Array(values) => values.iter().map(scalars).sum(),
        Value::Object(members) => members.values().map(scalars).sum(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

/// What Meilisearch sets for the index of rules when it makes it, so that it finds the ones that count.
fn settings_of_rules() -> Value {
    let attribute = |pattern: &str, comparison: bool| {
        json!({
            "attributePatterns": [pattern],
            "features": { "facetSearch": false, "filter": { "equality": true, "comparison": comparison } },
        })
    };
    json!({
        "displayedAttributes": ["*"],
        "searchableAttributes": ["conditions.query.words", "description"],
        "filterableAttributes": [
            attribute("active", false),
            attribute("conditions.time.start", true),
            attribute("conditions.time.end", true),
            attribute("conditions.query.isEmpty", false),
            attribute("conditions.filter.values.*", true),
            attribute("conditions.filter.nbConstraints", true),
        ],
        "sortableAttributes": ["lastUpdatedAt", "precedence"],
        "proximityPrecision": "byAttribute",
        "typoTolerance": { "enabled": false, "disableOnNumbers": true },
        "facetSearch": false,
        "prefixSearch": "disabled",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_how_many_values_its_filter_needs() {
        let rule = json!({
            "uid": "r", "active": true, "actions": [],
            "conditions": { "filter": { "values": { "a": [1, "x", null], "b": { "c": true } } } },
        });
        let rule: Rule = serde_json::from_value(rule).expect("a rule");
        let document = document(&rule).expect("a document");
        assert_eq!(document["conditions"]["filter"]["nbConstraints"], 3);
        assert_eq!(document["uid"], "r");
    }
}
