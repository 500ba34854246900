//! `miroir dev`: everything on one machine, with something in it.

mod fleet;
mod layout;
mod sample;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    thread,
};

use clap::Args;
use miroir_edge::Shutdown;
use thiserror::Error;
use tokio::runtime::Runtime;

use self::{fleet::Fleet, layout::Layout, sample::Sample};
use super::fail;
use crate::{
    server::{ServeError, Server},
    telemetry,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How many nodes each group has.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=64))]
    nodes: u16,
    /// How many groups there are; each holds a copy of everything.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=8))]
    groups: u16,
    /// Where the gateway listens.
    #[arg(long, default_value = "127.0.0.1:7700")]
    listen: SocketAddr,
    /// The master key that clients use.
    #[arg(long, default_value = "masterKey")]
    master_key: String,
    /// Where everything is kept; without it in a temporary directory that is removed at the end.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Start without the sample data.
    #[arg(long)]
    no_sample: bool,
    /// A Meilisearch server's program, to start as the nodes instead of embedded ones.
    #[arg(long, env = "MEILISEARCH_BIN")]
    meilisearch: Option<PathBuf>,
}

/// Why `dev` cannot go on.
#[derive(Debug, Error)]
enum DevError {
    #[error("no runtime: {0}")]
    Runtime(#[source] std::io::Error),
    #[error("the data directory {0} cannot be used: {1}")]
    DataDir(String, #[source] std::io::Error),
    #[error("the gateway cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] std::io::Error),
    #[error("node {0} cannot start: {1}")]
    Node(String, String),
    #[error("the configuration made for this run is not valid\n{0}")]
    Config(String),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("the sample data cannot be loaded: {0}")]
    Sample(String),
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match dev(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn dev(arguments: &Arguments) -> Result<(), DevError> {
    let directory = DataDir::open(arguments.data_dir.as_deref())?;
    let runtime = Runtime::new().map_err(DevError::Runtime)?;
    let shutdown = Shutdown::on_signals();
    // The port is looked at before anything is started: a taken one is the most likely trouble.
    let layout = Layout::new(arguments, directory.path());
    layout.check_port()?;
    let kind = if arguments.meilisearch.is_some() { "Meilisearch" } else { "embedded" };
    println!("Starting {} {kind} nodes in {}", layout.nodes().len(), directory.path().display());
    let fleet = runtime.block_on(Fleet::start(&layout, arguments.meilisearch.as_deref()))?;
    let config = layout.config(&fleet.addresses())?;
    let messages = telemetry::init(config.telemetry);
    let server = Server::start_with(&config, false, messages)?;
    let address = server.addresses().first().copied().unwrap_or(arguments.listen);
    let serving = {
        let shutdown = shutdown.clone();
        thread::spawn(move || server.run(&shutdown))
    };
    let loaded = runtime.block_on(async {
        tokio::select! {
            loaded = greet(arguments, address) => loaded,
            _ = shutdown.begun() => Ok(()),
        }
    });
    if loaded.is_err() {
        shutdown.stop();
    }
    let served = serving.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    println!("Stopping the nodes");
    runtime.block_on(fleet.stop());
    loaded?;
    Ok(served?)
}

/// Loads the sample and says what to try.
async fn greet(arguments: &Arguments, address: SocketAddr) -> Result<(), DevError> {
    if !arguments.no_sample {
        Sample::new(address, &arguments.master_key)?.load().await?;
    }
    let key = &arguments.master_key;
    println!("\nMiroir answers at http://{address}, master key `{key}`.");
    if arguments.no_sample {
        println!("Point any Meilisearch client there. Ctrl-C stops everything.");
        return Ok(());
    }
    println!(
        "Try:\n\n  \
         curl -H 'Authorization: Bearer {key}' 'http://{address}/indexes/movies/search?q=star%20wars&limit=3'\n\n  \
         curl -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\\n       \
         http://{address}/indexes/movies/search \\\n       \
         -d '{{\"q\": \"love\", \"filter\": \"year > 2000\", \"sort\": [\"imdb_rating:desc\"], \"facets\": [\"genre\"], \"limit\": 3}}'\n\n  \
         curl -H 'Authorization: Bearer {key}' http://{address}/stats\n\n\
         Ctrl-C stops everything."
    );
    Ok(())
}

/// The directory of a run: given and kept, or temporary and removed when dropped.
enum DataDir {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl DataDir {
    fn open(path: Option<&Path>) -> Result<Self, DevError> {
        match path {
            Some(path) => {
                let failed = |error| DevError::DataDir(path.display().to_string(), error);
                std::fs::create_dir_all(path).map_err(failed)?;
                Ok(Self::Kept(path.canonicalize().map_err(failed)?))
            }
            None => tempfile::Builder::new()
                .prefix("miroir-dev-")
                .tempdir()
                .map(Self::Temporary)
                .map_err(|error| DevError::DataDir("(temporary)".to_owned(), error)),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(directory) => directory.path(),
        }
    }
}
