//! `miroir serve`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use miroir_edge::Shutdown;

use super::fail;
use crate::{server::Server, telemetry};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(long, env = "MIROIR_CONFIG")]
    config: PathBuf,
    /// Take the listening sockets over from the running process, which then drains. It has to be told by SIGQUIT.
    #[arg(long)]
    upgrade: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let config = match miroir_config::load(&arguments.config) {
        Ok(config) => config,
        Err(report) => {
            eprintln!("{report}");
            return ExitCode::FAILURE;
        }
    };
    let messages = telemetry::init(config.telemetry);
    let shutdown = Shutdown::on_signals();
    let server = match Server::start_with(&config, arguments.upgrade, messages) {
        Ok(server) => server,
        Err(error) => return fail(&error),
    };
    for address in server.addresses() {
        tracing::info!(%address, "listening");
    }
    if let Some(address) = server.admin_address() {
        tracing::info!(%address, "listening for operators");
    }
    match server.run(&shutdown) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}
