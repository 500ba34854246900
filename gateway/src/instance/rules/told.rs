//! Bringing a node's rules to what they should be.

use std::{collections::BTreeMap, time::Duration};

use http::{Method, StatusCode, Uri};
use miroir_nodes::{Node, NodeRequest};
use miroir_protocol::{
    error::{Code, ResponseError},
    indexes::Paginated,
    rules::Rule,
    tasks::{SummarizedTaskView, TaskView},
};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::Instant;

use super::{
    super::{mirror::Told, not_supported},
    PATH, Rules,
};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a node may take over its tasks, and how often it is asked for them.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);
/// More rules than there are.
const ALL: usize = 1_000_000;

/// Why a node has not got them.
enum Untold {
    Refused(ResponseError),
    Unreachable,
}

/// Tells a node what differs from these rules, and waits until it has them.
pub(in crate::instance) async fn tell(node: &Node, rules: &Rules) -> Told {
    match bring(node, rules).await {
        Ok(()) => Told::Done,
        // Rules are off there: there is nothing to be told, and nothing that they do.
        Err(Untold::Refused(error)) if error.code() == Some(Code::FeatureNotEnabled) => Told::Done,
        Err(Untold::Refused(error)) => Told::Refused(error),
        Err(Untold::Unreachable) => Told::Unreachable,
    }
}

async fn bring(node: &Node, rules: &Rules) -> Result<(), Untold> {
    let listing = NodeRequest::query(Uri::from_static(PATH), json!({ "limit": ALL }).to_string());
    let there: Paginated<Rule> = ask(node, &listing).await?;
    let there: BTreeMap<String, Rule> =
        there.results.into_iter().map(|rule| (rule.uid.clone(), rule)).collect();
    let mut tasks = Vec::new();
    for request in differences(&there, rules) {
        let task: SummarizedTaskView = ask(node, &request).await?;
        tasks.push(task.task_uid);
    }
    for task in tasks {
        wait(node, task).await?;
    }
    Ok(())
}

/// The requests that make one of the other.
fn differences(there: &Rules, wanted: &Rules) -> Vec<NodeRequest> {
    let path = |uid: &str| format!("{PATH}/{uid}").parse::<Uri>().ok();
    let changed =
        wanted.iter().filter(|(uid, rule)| there.get(*uid).is_none_or(|other| !rule.is_alike(other)));
    let changed = changed.filter_map(|(uid, rule)| {
        let change = serde_json::to_vec(&rule.as_update()).ok()?;
        Some(NodeRequest::write(Method::PATCH, path(uid)?, change))
    });
    let gone = there.keys().filter(|uid| !wanted.contains_key(*uid));
    let gone = gone.filter_map(|uid| Some(NodeRequest::write(Method::DELETE, path(uid)?, "")));
    changed.chain(gone).collect()
}

async fn wait(node: &Node, task: u32) -> Result<(), Untold> {
    let Ok(path) = format!("/tasks/{task}").parse::<Uri>() else { return Ok(()) };
    let request = NodeRequest::get(path);
    let give_up = Instant::now() + PATIENCE;
    while Instant::now() < give_up {
        let task: TaskView = ask(node, &request).await?;
        if let Some(error) = task.error {
            return Err(Untold::Refused(error));
        }
        if task.status.is_finished() {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    Err(Untold::Unreachable)
}

async fn ask<T: DeserializeOwned>(node: &Node, request: &NodeRequest) -> Result<T, Untold> {
    let answer = node.ask(request, TIMEOUT).await.map_err(|_| Untold::Unreachable)?;
    if answer.status.is_success() {
        return serde_json::from_slice(&answer.body).map_err(|_| Untold::Unreachable);
    }
    match serde_json::from_slice(&answer.body) {
        Ok(error) if answer.status.is_client_error() => Err(Untold::Refused(error)),
        // A path that the node's version does not have.
        Err(_) if answer.status == StatusCode::NOT_FOUND => {
            let message = format!("Node `{}` has no dynamic search rules in its version.", node.name());
            Err(Untold::Refused(not_supported(message)))
        }
        _ => Err(Untold::Unreachable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(uid: &str, precedence: u64) -> (String, Rule) {
        (uid.to_owned(), Rule { precedence: Some(precedence), ..Rule::new(uid) })
    }

    #[test]
    fn a_node_is_told_what_differs() {
        let there = Rules::from([rule("same", 1), rule("other", 1), rule("gone", 1)]);
        let wanted = Rules::from([rule("same", 1), rule("other", 2), rule("new", 1)]);
        let told: Vec<String> = differences(&there, &wanted)
            .iter()
            .map(|request| format!("{} {}", request.method, request.path))
            .collect();
        let expected = [
            "PATCH /dynamic-search-rules/new",
            "PATCH /dynamic-search-rules/other",
            "DELETE /dynamic-search-rules/gone",
        ];
        assert_eq!(told, expected);
        assert!(differences(&wanted, &wanted).is_empty());
    }
}
