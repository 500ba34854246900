//! The plan of a search, for operators: who is asked what, and how long each takes.

use std::time::Duration;

use futures_util::future::join_all;
use http::{StatusCode, Uri};
use miroir_log::IndexRecord;
use miroir_nodes::NodeRequest;
use miroir_protocol::{
    error::{Code, ResponseError},
    search::SearchQuery,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    asked::AskedSearch,
    scatter::{Terms, shard_list},
    search::{elapsed_ms, path},
    targets::{Target, Targets},
};
use crate::{
    answer::{Answer, json as answer_json},
    state::Gateway,
};

/// The body of `POST /_miroir/explain`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Question {
    /// The index.
    index_uid: String,
    /// The body of the search there.
    #[serde(default)]
    search: Value,
    /// Whether the nodes are asked.
    #[serde(default)]
    execute: bool,
}

/// Answers with the plan of a search as it would be asked now.
pub(crate) async fn explain(gateway: &Gateway, body: &[u8], terms: Terms) -> Answer {
    let question: Question = serde_json::from_slice(body)
        .map_err(|error| ResponseError::new(Code::BadRequest, error.to_string()))?;
    let search = if question.search.is_null() { json!({}) } else { question.search };
    let query = SearchQuery::from_json(search.to_string().as_bytes())?;
    let index = gateway.index(&question.index_uid)?;
    query.check_semantic()?;
    let asked = AskedSearch::of(&index, &query);
    let scope = asked.scope(&index);
    let targets = Targets::of(gateway, &gateway.topology.load(), &scope);
    let path = path(&index)?;
    let requests: Vec<NodeRequest> = targets
        .asked
        .iter()
        .map(|target| NodeRequest::query(path.clone(), asked.body(target.filter.as_deref())))
        .collect();
    let mut plan = plan(gateway, &index, &targets, scope.slots.as_ref().map(Vec::len), &requests, &path);
    if question.execute {
        let start = Instant::now();
        let left = terms.deadline.saturating_duration_since(start);
        let pairs = targets.asked.iter().zip(&requests);
        let outcomes = join_all(pairs.map(|(target, request)| execute(target, request, left))).await;
        plan["processingTimeMs"] = json!(elapsed_ms(start));
        for (node, outcome) in plan["nodes"].as_array_mut().into_iter().flatten().zip(outcomes) {
            node["outcome"] = outcome;
        }
    }
    Ok(answer_json(StatusCode::OK, &plan))
}

/// The plan alone.
fn plan(
    gateway: &Gateway,
    index: &IndexRecord,
    targets: &Targets,
    documents: Option<usize>,
    requests: &[NodeRequest],
    path: &Uri,
) -> Value {
    let topology = gateway.topology.load();
    let nodes = targets.asked.iter().zip(requests).map(|(target, request)| {
        let group = topology
            .map
            .node(target.id)
            .and_then(|node| Some(topology.map.groups().get(usize::from(node.group))?.name.clone()));
        let held = || topology.map.shards_of(target.id).map(|(shard, _)| shard).collect();
        json!({
            "name": target.node.name(),
            "group": group,
            "address": target.node.authority(),
            "shards": shard_list(&target.shards.clone().unwrap_or_else(held)),
            "filter": target.filter,
            "body": serde_json::from_slice::<Value>(&request.body).unwrap_or_default(),
        })
    });
    json!({
        "indexUid": index.uid,
        "epoch": topology.map.epoch(),
        "path": path.path(),
        "asks": reason(documents, targets),
        "nodes": nodes.collect::<Vec<_>>(),
        "missingShards": targets.missing.iter().map(|shard| shard.0).collect::<Vec<_>>(),
    })
}

/// Why these nodes are asked, in words.
fn reason(documents: Option<usize>, targets: &Targets) -> String {
    let filtered = targets.asked.iter().filter(|target| target.filter.is_some()).count();
    let whom = match documents {
        Some(1) => "the owner of the document that the filter names".to_owned(),
        Some(documents) => format!("the owners of the {documents} documents that the filter names"),
        None => "the owners of every shard".to_owned(),
    };
    match filtered {
        0 => whom,
        _ => {
            format!("{whom}; {filtered} of them for a part of their documents, as other nodes hold these too")
        }
    }
}

/// Asks one node: how long it takes, how it answers, and how much.
async fn execute(target: &Target, request: &NodeRequest, timeout: Duration) -> Value {
    let start = Instant::now();
    let answer = target.node.ask(request, timeout).await;
    let time = start.elapsed().as_secs_f64() * 1_000.0;
    match answer {
        Ok(answer) => {
            let own: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            json!({
                "timeMs": time,
                "status": answer.status.as_u16(),
                "bytes": answer.body.len(),
                "hits": own["hits"].as_array().map(Vec::len),
                "processingTimeMs": own["processingTimeMs"],
                "error": own["message"],
            })
        }
        Err(error) => json!({ "timeMs": time, "error": error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_an_index_and_a_search() {
        let question: Question =
            serde_json::from_str(r#"{"indexUid":"films","search":{"q":"star"},"execute":true}"#)
                .expect("good");
        assert_eq!((question.index_uid.as_str(), question.execute), ("films", true));
        assert_eq!(question.search["q"], "star");
        assert!(serde_json::from_str::<Question>(r#"{"indexUid":"films","query":{}}"#).is_err());
    }

    #[test]
    fn the_reason_is_told() {
        let nobody = Targets { asked: vec![], missing: vec![] };
        assert_eq!(reason(None, &nobody), "the owners of every shard");
        assert_eq!(reason(Some(1), &nobody), "the owner of the document that the filter names");
        assert_eq!(reason(Some(2), &nobody), "the owners of the 2 documents that the filter names");
    }
}
