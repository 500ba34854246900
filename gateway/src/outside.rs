//! Servers that are no nodes: webhooks, and the models of chats.

use std::time::Duration;

use http::Uri;
use miroir_nodes::{Node, NodeConfig, Tls};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What of a whole answer is read at the most.
const MAX_ANSWER: usize = 1 << 20;

/// A client of the server at an address, which `what` names in messages. It keeps up to `max_idle` connections, and sends
/// `key` as a bearer token.
pub(crate) fn client(what: &str, uri: &Uri, key: Option<String>, max_idle: usize) -> Result<Node, String> {
    let (by_tls, port) = match uri.scheme_str() {
        Some("http") => (false, 80),
        Some("https") => (true, 443),
        _ => return Err(format!("{uri}: a {what} is called by HTTP")),
    };
    let host = uri.host().ok_or_else(|| format!("{uri} names no host"))?;
    let config = NodeConfig {
        name: what.to_owned(),
        authority: format!("{host}:{}", uri.port_u16().unwrap_or(port)),
        key,
        connect_timeout: CONNECT_TIMEOUT,
        max_idle,
        max_answer: MAX_ANSWER,
    };
    let node = Node::new(config).ok_or_else(|| format!("{uri} cannot be called"))?;
    match by_tls {
        true => Ok(node.with_tls(Tls::new(None).map_err(|error| error.to_string())?)),
        false => Ok(node),
    }
}
