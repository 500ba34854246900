//! `miroir-node`: one embedded node as a program of its own.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use miroir_node::{Node, NodeConfig};
use tracing_subscriber::EnvFilter;

/// An embedded Meilisearch-compatible node, for development and tests. Its options are named as Meilisearch's are.
#[derive(Debug, Parser)]
#[command(name = "miroir-node", version)]
struct Options {
    /// Address to listen on
    #[arg(long, env = "MEILI_HTTP_ADDR", default_value = "localhost:7700")]
    http_addr: String,
    /// Directory of the data
    #[arg(long, env = "MEILI_DB_PATH", default_value = "./data.ms")]
    db_path: PathBuf,
    /// Key that every request must carry
    #[arg(long, env = "MEILI_MASTER_KEY")]
    master_key: Option<String>,
    /// Threads that index documents
    #[arg(long, env = "MEILI_MAX_INDEXING_THREADS", default_value_t = 1)]
    max_indexing_threads: usize,
    /// Memory that indexing may take, in bytes
    #[arg(long, env = "MEILI_MAX_INDEXING_MEMORY")]
    max_indexing_memory: Option<usize>,
    /// Largest request body, in bytes
    #[arg(long, env = "MEILI_HTTP_PAYLOAD_SIZE_LIMIT")]
    http_payload_size_limit: Option<usize>,
    /// Accepted and not used: nothing is ever sent anywhere
    #[arg(long)]
    no_analytics: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,miroir_node=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    eprintln!(
        "miroir-node is an embedded search node for development and tests. Do not use it in production."
    );
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("miroir-node: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let mut config = NodeConfig::new(address_of(&options.http_addr)?, options.db_path);
    config.master_key = options.master_key.filter(|key| !key.is_empty());
    config.indexing_threads = options.max_indexing_threads;
    config.indexing_memory = options.max_indexing_memory.unwrap_or(config.indexing_memory);
    config.payload_limit = options.http_payload_size_limit.unwrap_or(config.payload_limit);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let node = Node::start(config).await?;
        eprintln!("listening on {}", node.url());
        stop_requested().await?;
        node.shutdown().await;
        Ok(())
    })
}

fn address_of(text: &str) -> Result<SocketAddr, String> {
    let resolved = text.to_socket_addrs().map_err(|error| format!("bad address `{text}`: {error}"))?;
    let mut addresses: Vec<_> = resolved.collect();
    // `localhost` may stand for both; Meilisearch's clients try the older protocol.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| format!("bad address `{text}`: no such host"))
}

async fn stop_requested() -> std::io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
