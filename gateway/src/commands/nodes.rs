//! `miroir nodes` and `miroir rebalance`: the fleet of a gateway that runs.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::remote::Gateway;

const REBALANCE: &str = "/_miroir/rebalance";

/// `miroir nodes`.
#[derive(Debug, Args)]
pub(super) struct NodesArguments {
    #[command(flatten)]
    gateway: Gateway,
    #[command(subcommand)]
    command: NodesCommand,
}

#[derive(Debug, Subcommand)]
enum NodesCommand {
    /// List the nodes, their states and what they hold.
    List,
    /// Have a node join: it gets its share of its group's shards.
    Add(NewNode),
    /// Have a node give everything to the others of its group; it stays in the fleet.
    Drain {
        /// The node's name.
        name: String,
    },
    /// Have a node give everything to the others of its group, and leave.
    Remove {
        /// The node's name.
        name: String,
    },
    /// Have a new node take the place of another one.
    Replace {
        /// The name of the node that leaves.
        old: String,
        #[command(flatten)]
        new: NewNode,
    },
    /// Have a node leave that will not come back, though nobody else has what it held: that is gone for good.
    AcceptLoss {
        /// The node's name.
        name: String,
    },
}

#[derive(Debug, Args)]
struct NewNode {
    /// The new node's name.
    name: String,
    /// Its base URL.
    #[arg(long)]
    url: String,
    /// The key that may do everything on it; or `${MIROIR_NODE_KEY_…}`, a variable of the gateway's environment that has it.
    #[arg(long, env = "MIROIR_NODE_KEY", hide_env_values = true)]
    key: Option<String>,
    /// The group it joins.
    #[arg(long, default_value = "default")]
    group: String,
    /// Its share of the group's shards, relative to the others.
    #[arg(long, default_value_t = 1)]
    weight: u32,
}

/// `miroir rebalance`.
#[derive(Debug, Args)]
pub(super) struct RebalanceArguments {
    #[command(flatten)]
    gateway: Gateway,
    #[command(subcommand)]
    command: RebalanceCommand,
}

#[derive(Debug, Subcommand)]
enum RebalanceCommand {
    /// Show what a change would move: a JSON object such as `{"drain": {"node": "n1"}}`; without one, what it takes to
    /// give every node its share.
    Plan {
        /// The change.
        #[arg(default_value = r#"{"level":{}}"#)]
        change: String,
    },
    /// Start a change, given in the same way.
    Start {
        /// The change.
        #[arg(default_value = r#"{"level":{}}"#)]
        change: String,
    },
    /// Show how far the change is that is under way.
    Status,
    /// Leave the rest of it undone for now.
    Pause,
    /// Go on with it.
    Resume,
    /// Take it back: what has moved moves back.
    Abort,
}

/// `miroir verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    gateway: Gateway,
    /// Make equal what differs, where it is known what is right.
    #[arg(long)]
    mend: bool,
}

impl NewNode {
    fn json(&self) -> Value {
        json!({
            "name": self.name, "url": self.url, "key": self.key, "group": self.group, "weight": self.weight,
        })
    }
}

/// Runs `miroir nodes`.
pub(super) fn nodes(arguments: &NodesArguments) -> ExitCode {
    let change = match &arguments.command {
        NodesCommand::List => {
            return arguments.gateway.run(Method::GET, "/_miroir/nodes", None, show_nodes);
        }
        NodesCommand::Add(node) => json!({ "add": { "nodes": [node.json()] } }),
        NodesCommand::Drain { name } => json!({ "drain": { "node": name } }),
        NodesCommand::Remove { name } => json!({ "remove": { "node": name } }),
        NodesCommand::AcceptLoss { name } => json!({ "acceptLoss": { "node": name } }),
        NodesCommand::Replace { old, new } => json!({ "replace": { "node": old, "with": new.json() } }),
    };
    arguments.gateway.run(Method::POST, REBALANCE, Some(&change), show)
}

/// Runs `miroir rebalance`.
pub(super) fn rebalance(arguments: &RebalanceArguments) -> ExitCode {
    let gateway = &arguments.gateway;
    let with = |path: &str, change: &str| match serde_json::from_str::<Value>(change) {
        Ok(change) => gateway.run(Method::POST, path, Some(&change), show),
        Err(error) => super::fail(&error),
    };
    match &arguments.command {
        RebalanceCommand::Plan { change } => with("/_miroir/rebalance/plan", change),
        RebalanceCommand::Start { change } => with(REBALANCE, change),
        RebalanceCommand::Status => gateway.run(Method::GET, REBALANCE, None, show),
        RebalanceCommand::Pause => gateway.run(Method::POST, "/_miroir/rebalance/pause", None, show),
        RebalanceCommand::Resume => gateway.run(Method::POST, "/_miroir/rebalance/resume", None, show),
        RebalanceCommand::Abort => gateway.run(Method::POST, "/_miroir/rebalance/abort", None, show),
    }
}

/// Runs `miroir verify`: fails where copies differ and are not mended.
pub(super) fn verify(arguments: &VerifyArguments) -> ExitCode {
    let path = "/_miroir/verify";
    let order = json!({ "mend": arguments.mend });
    if let Err(error) = arguments.gateway.ask(Method::POST, path, Some(&order)) {
        return super::fail(&error);
    }
    loop {
        std::thread::sleep(std::time::Duration::from_millis(500));
        match arguments.gateway.ask(Method::GET, path, None) {
            Err(error) => return super::fail(&error),
            Ok(report) if ["running", "waiting"].contains(&report["state"].as_str().unwrap_or_default()) => {}
            Ok(report) => {
                show(&report);
                let fine =
                    report["state"] == "done" && report["documentsDiffering"] == report["documentsMended"];
                return if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE };
            }
        }
    }
}

/// An answer, one member a line.
fn show(answer: &Value) {
    for (name, value) in answer.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        match value {
            Value::Array(rows) => {
                println!("{name}:");
                rows.iter().for_each(|row| println!("  {row}"));
            }
            Value::String(text) => println!("{name}: {text}"),
            value => println!("{name}: {value}"),
        }
    }
}

fn show_nodes(answer: &Value) {
    println!("{:<20} {:<12} {:<14} {:>6} {:>8}  ADDRESS", "NAME", "GROUP", "STATE", "SHARDS", "BEHIND");
    for node in answer["nodes"].as_array().into_iter().flatten() {
        let text = |name: &str| node[name].as_str().unwrap_or("-").to_owned();
        let (name, group, state, address) = (text("name"), text("group"), text("state"), text("address"));
        let (shards, behind) = (&node["shards"], &node["behind"]);
        println!("{name:<20} {group:<12} {state:<14} {shards:>6} {behind:>8}  {address}");
        if let Some(reason) = node["reason"].as_str() {
            println!("{:<20} {reason}", "");
        }
    }
}
