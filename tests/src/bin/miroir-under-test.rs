//! The program itself, built here so that tests have its path and can start, stop and kill it.
//!
//! Started as `node ADDRESS DIRECTORY KEY` it is an embedded node instead, to be killed and stopped as the gateway is.
//! So the engine is linked into this program alone, and not into every program of tests.

use std::{error::Error, io, process::ExitCode};

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

/// Says where it listens, and runs until it is killed or whoever started it is gone.
fn node(address: &str, directory: &str, key: &str) -> Result<(), Box<dyn Error>> {
    let config = NodeConfig::new(address.parse()?, directory).with_master_key(key);
    let runtime = tokio::runtime::Runtime::new()?;
    let node = runtime.block_on(Node::start(config))?;
    println!("{}", node.address());
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
