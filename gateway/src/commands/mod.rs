//! The program's commands.

mod check;
#[cfg(feature = "embedded-node")]
mod dev;
mod explain;
mod import;
mod nodes;
mod remote;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Makes a fleet of Meilisearch servers look like one.
#[derive(Debug, Parser)]
#[command(name = "miroir", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the nodes that a configuration file names.
    Serve(serve::Arguments),
    /// Check a configuration file: every error, each with its place.
    Check(check::Arguments),
    /// Take over a running Meilisearch, or a dump, into a running gateway.
    Import(import::Import),
    /// Bring a dump back into a running gateway.
    Restore(import::Restore),
    /// Look at the nodes of a gateway that runs, and change them.
    Nodes(nodes::NodesArguments),
    /// Show which nodes a search asks, for what, and how long each takes.
    Explain(explain::Arguments),
    /// Compare all copies, show what differs, and mend it with `--mend`.
    Verify(nodes::VerifyArguments),
    /// Follow and steer a change of the fleet.
    Rebalance(nodes::RebalanceArguments),
    /// Try it out: start nodes, the gateway in front of them, and load sample data.
    #[cfg(feature = "embedded-node")]
    Dev(dev::Arguments),
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Import(arguments) => import::import(&arguments),
        Command::Restore(arguments) => import::restore(&arguments),
        Command::Nodes(arguments) => nodes::nodes(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Verify(arguments) => nodes::verify(&arguments),
        Command::Rebalance(arguments) => nodes::rebalance(&arguments),
        #[cfg(feature = "embedded-node")]
        Command::Dev(arguments) => dev::run(&arguments),
    }
}

/// Says why a command failed, in one line, and what the process ends with.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !line.contains(&cause_text) {
            line.push_str(": ");
            line.push_str(&cause_text);
        }
        source = cause.source();
    }
    eprintln!("error: {line}");
    ExitCode::FAILURE
}
