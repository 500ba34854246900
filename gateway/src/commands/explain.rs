//! `miroir explain`: which nodes a search asks, for what, and how long each takes.

use std::process::ExitCode;

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::{fail, remote::Gateway};

/// `miroir explain`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    gateway: Gateway,
    /// The index.
    index: String,
    /// The search: the words to look for, or the body of a search, a JSON object such as `{"q": "star", "limit": 5}`.
    #[arg(default_value = "{}")]
    search: String,
    /// Ask the nodes, and show what each of them answers and when.
    #[arg(long)]
    execute: bool,
    /// Show the gateway's answer as it is, in JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `miroir explain`.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let search = match search(&arguments.search) {
        Ok(search) => search,
        Err(error) => return fail(&error),
    };
    let question = json!({ "indexUid": arguments.index, "search": search, "execute": arguments.execute });
    let show = |plan: &Value| print!("{}", if arguments.json { format!("{plan:#}\n") } else { text(plan) });
    arguments.gateway.run(Method::POST, "/_miroir/explain", Some(&question), show)
}

/// The body of the search that is meant: anything that does not begin as an object does is words.
fn search(argument: &str) -> serde_json::Result<Value> {
    match argument.trim_start().starts_with('{') {
        true => serde_json::from_str(argument),
        false => Ok(json!({ "q": argument })),
    }
}

/// A plan as somebody reads it: a block for each node.
fn text(plan: &Value) -> String {
    let mut lines = vec![format!(
        "Index {}, by epoch {} of the map: asks {}.",
        shown(&plan["indexUid"]),
        plan["epoch"],
        shown(&plan["asks"])
    )];
    for node in plan["nodes"].as_array().into_iter().flatten() {
        lines.push(String::new());
        lines.push(format!(
            "{} in group {} at {}",
            shown(&node["name"]),
            shown(&node["group"]),
            shown(&node["address"])
        ));
        lines.push(format!("  shards   {}", shown(&node["shards"])));
        lines.extend(node["filter"].as_str().map(|filter| format!("  filter   {filter}")));
        lines.push(format!("  asked    POST {} {}", shown(&plan["path"]), node["body"]));
        lines
            .extend(node["outcome"].as_object().map(|_| format!("  answered {}", outcome(&node["outcome"]))));
    }
    if let Some(missing) = plan["missingShards"].as_array().filter(|missing| !missing.is_empty()) {
        let missing: Vec<String> = missing.iter().map(Value::to_string).collect();
        lines.push(format!("\nNobody can give the shards {}.", missing.join(", ")));
    }
    if let Some(took) = plan["processingTimeMs"].as_u64() {
        lines.push(format!("\nAll of it took {took} ms."));
    }
    lines.join("\n") + "\n"
}

/// What a node has answered, in one line.
fn outcome(outcome: &Value) -> String {
    let time = outcome["timeMs"].as_f64().unwrap_or_default();
    let mut line = format!("after {time:.1} ms");
    let mut tell = |what: &str, value: &Value| {
        if !value.is_null() {
            line += &format!(", {what}{}", shown(value));
        }
    };
    tell("status ", &outcome["status"]);
    tell("hits ", &outcome["hits"]);
    tell("bytes ", &outcome["bytes"]);
    tell("its own ms ", &outcome["processingTimeMs"]);
    tell("", &outcome["error"]);
    line
}

/// A member without the quotes of a string.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_words_or_a_body() {
        assert_eq!(search("star wars").expect("words"), json!({ "q": "star wars" }));
        assert_eq!(search(r#" {"limit": 3}"#).expect("a body"), json!({ "limit": 3 }));
        assert!(search(r#"{"limit": 3"#).is_err());
    }

    #[test]
    fn a_plan_is_told_node_by_node() {
        let plan = json!({
            "indexUid": "films", "epoch": 4, "path": "/indexes/films/search", "asks": "the owners of every shard",
            "nodes": [{
                "name": "n1", "group": "g1", "address": "127.0.0.1:7701", "shards": "0-3", "filter": null,
                "body": { "q": "star" },
                "outcome": { "timeMs": 1.26, "status": 200, "bytes": 90, "hits": 2, "processingTimeMs": 1, "error": null },
            }],
            "missingShards": [7, 9],
            "processingTimeMs": 2,
        });
        let told = "\
Index films, by epoch 4 of the map: asks the owners of every shard.

n1 in group g1 at 127.0.0.1:7701
  shards   0-3
  asked    POST /indexes/films/search {\"q\":\"star\"}
  answered after 1.3 ms, status 200, hits 2, bytes 90, its own ms 1

Nobody can give the shards 7, 9.

All of it took 2 ms.
";
        assert_eq!(text(&plan), told);
    }
}
