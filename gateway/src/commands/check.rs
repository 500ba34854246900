//! `miroir check`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file.
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match miroir_config::load(&arguments.file) {
        Ok(config) => {
            let nodes = config.cluster.nodes.len();
            let filters: Vec<&str> = config.filters.iter().map(|filter| filter.name()).collect();
            println!("{} is valid: {nodes} nodes, filters {}", arguments.file.display(), filters.join(", "));
            ExitCode::SUCCESS
        }
        Err(report) => {
            eprintln!("{report}");
            ExitCode::FAILURE
        }
    }
}
