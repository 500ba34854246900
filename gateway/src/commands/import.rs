//! `miroir import` and `miroir restore`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use tokio::runtime::Runtime;

use super::fail;
use crate::transfer::{
    TransferError,
    archive::Dump,
    follow::{self, Checkpoint},
    import::Import as Transfer,
    remote::Remote,
    restore,
};

#[derive(Debug, Args)]
pub(super) struct Target {
    /// The gateway that everything goes to.
    #[arg(long, default_value = "http://127.0.0.1:7700")]
    to: String,
    /// A key of the gateway that may do everything.
    #[arg(long, env = "MIROIR_MASTER_KEY", hide_env_values = true)]
    to_key: Option<String>,
    /// Certificates of authorities that servers may have theirs from, a PEM file.
    #[arg(long)]
    ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// A running Meilisearch that everything comes from.
    #[arg(long, conflicts_with = "dump", required_unless_present = "dump")]
    from: Option<String>,
    /// A key of it that may do everything.
    #[arg(long, env = "MIROIR_IMPORT_KEY", hide_env_values = true)]
    key: Option<String>,
    /// A dump instead, as `miroir restore`.
    #[arg(long)]
    dump: Option<PathBuf>,
    /// Where progress is kept, so that another run goes on from there.
    #[arg(long)]
    state: Option<PathBuf>,
    /// End once everything is there, instead of following what is written to the source.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// A dump, of Miroir or of Meilisearch v1.0 or later.
    file: PathBuf,
    #[command(flatten)]
    target: Target,
}

pub(super) fn import(arguments: &Import) -> ExitCode {
    end(match (&arguments.from, &arguments.dump) {
        (_, Some(file)) => on_runtime(from_dump(file, &arguments.target)),
        (Some(url), None) => on_runtime(from_server(url, arguments)),
        (None, None) => Ok(()),
    })
}

pub(super) fn restore(arguments: &Restore) -> ExitCode {
    end(on_runtime(from_dump(&arguments.file, &arguments.target)))
}

fn end(outcome: Result<(), TransferError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn on_runtime(work: impl Future<Output = Result<(), TransferError>>) -> Result<(), TransferError> {
    let runtime = Runtime::new();
    runtime.map_err(|error| TransferError::File { file: PathBuf::from("threads"), error })?.block_on(work)
}

fn report(line: &str) {
    println!("{line}");
}

impl Target {
    fn remote(&self) -> Result<Remote, TransferError> {
        Remote::new(&self.to, self.to_key.clone(), self.ca.clone())
    }
}

async fn from_server(url: &str, arguments: &Import) -> Result<(), TransferError> {
    let source = Remote::new(url, arguments.key.clone(), arguments.target.ca.clone())?;
    let transfer = Transfer { source, target: arguments.target.remote()? };
    let checkpoint = Checkpoint(arguments.state.clone());
    follow::run(&transfer, &checkpoint, arguments.once, &report).await
}

async fn from_dump(file: &std::path::Path, target: &Target) -> Result<(), TransferError> {
    restore::run(Dump::open(file)?, &target.remote()?, &report).await
}
