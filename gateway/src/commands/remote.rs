//! A gateway that runs, as the commands ask it.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use http::{Method, Uri};
use miroir_nodes::{Node, NodeConfig, NodeRequest};
use serde_json::Value;
use thiserror::Error;

use super::fail;

const TIMEOUT: Duration = Duration::from_secs(60);
const LARGEST: usize = 64 << 20;

/// Where the gateway is.
#[derive(Debug, Args)]
pub(super) struct Gateway {
    /// The gateway's base URL.
    #[arg(long, env = "MIROIR_URL", default_value = "http://127.0.0.1:7700", global = true)]
    gateway: Uri,
    /// The master key.
    #[arg(long, env = "MIROIR_MASTER_KEY", hide_env_values = true, global = true)]
    master_key: Option<String>,
}

/// Why the gateway gives no answer.
#[derive(Debug, Error)]
pub(super) enum AskError {
    #[error("the gateway's URL or key cannot be used")]
    Address,
    #[error("no answer from the gateway: {0}")]
    Node(#[from] miroir_nodes::NodeError),
    #[error("{0}")]
    Refused(String),
    #[error("the gateway's answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("no threads: {0}")]
    Runtime(#[from] std::io::Error),
}

impl Gateway {
    /// Asks, and shows the answer.
    pub(super) fn run(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        show: impl Fn(&Value),
    ) -> ExitCode {
        match self.ask(method, path, body) {
            Ok(answer) => {
                show(&answer);
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        }
    }

    /// The gateway's answer.
    pub(super) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, AskError> {
        let host = self.gateway.host().ok_or(AskError::Address)?;
        let config = NodeConfig {
            name: "gateway".to_owned(),
            authority: format!("{host}:{}", self.gateway.port_u16().unwrap_or(80)),
            key: self.master_key.clone(),
            connect_timeout: TIMEOUT,
            max_idle: 1,
            max_answer: LARGEST,
        };
        let gateway = Node::new(config).ok_or(AskError::Address)?;
        let path = path.parse::<Uri>().map_err(|_| AskError::Address)?;
        let request = NodeRequest::write(method, path, body.map(Value::to_string).unwrap_or_default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = runtime.block_on(gateway.ask(&request, TIMEOUT))?;
        let value: Value = match answer.body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&answer.body)?,
        };
        if answer.status.is_success() {
            return Ok(value);
        }
        let message = value["message"].as_str().map_or_else(|| answer.status.to_string(), str::to_owned);
        Err(AskError::Refused(message))
    }
}
