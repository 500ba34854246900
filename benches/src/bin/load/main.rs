//! A load of searches and writes at a steady rate, and how long each took.
//!
//! ```text
//! load --url http://127.0.0.1:7700 --key masterKey --index movies --rate 200 --seconds 10
//! ```
//!
//! Requests begin when their time has come, whether or not earlier ones are answered, and their time runs from then: a server
//! that stops for a second is seen by every request of that second, as its clients would see it, and not by one. With a
//! `--peer`, every query goes to both in turn, so that the two are compared under the same weather.

mod arguments;
mod drive;
mod queries;
mod report;
mod target;

use std::process::ExitCode;

use clap::Parser;

use self::{arguments::Arguments, drive::drive, queries::Queries, target::Target};

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(all_went_well) if all_went_well => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether no request failed.
async fn run(arguments: &Arguments) -> Result<bool, String> {
    let first = Target::new("searches", &arguments.url, arguments.key.as_deref(), &arguments.index)?;
    let mut targets = vec![first];
    if let Some(url) = &arguments.peer {
        targets.push(Target::new("peer", url, arguments.peer_key.as_deref(), &arguments.index)?);
    }
    let queries = match &arguments.queries {
        Some(file) => Queries::from_lines(&read(file)?)?,
        None => Queries::from_documents(&targets[0].documents(1_000).await?)?,
    };
    let documents = match &arguments.documents {
        Some(file) => read(file)?.lines().map(|line| line.to_owned().into()).collect(),
        None => Vec::new(),
    };
    let report = drive(&targets, &queries, &documents, &arguments.pace()).await;
    print!("{report}");
    Ok(report.all_went_well())
}

fn read(file: &std::path::Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}
