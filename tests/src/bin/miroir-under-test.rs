//! The program itself, built here so that tests have its path and can start, stop and kill it.
//!
//! Started as `node ADDRESS DIRECTORY KEY` it is an embedded node instead, to be killed and stopped as the gateway is.

use std::{error::Error, process::ExitCode};

use miroir_node::{Node, NodeConfig};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match &arguments[..] {
        [_, kind, address, directory, key] if kind == "node" => match node(address, directory, key) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        _ => miroir::commands::run(),
    }
}

/// Runs until it is killed.
fn node(address: &str, directory: &str, key: &str) -> Result<(), Box<dyn Error>> {
    let config = NodeConfig::new(address.parse()?, directory).with_master_key(key);
    tokio::runtime::Runtime::new()?.block_on(async {
        let _node = Node::start(config).await?;
        std::future::pending().await
    })
}
