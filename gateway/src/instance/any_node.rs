//! Asking any one node: for what all of them know alike.

use std::time::Duration;

use bytes::Bytes;
use miroir_nodes::{Node, NodeRequest};
use miroir_protocol::error::{Code, ResponseError};

use super::not_supported;
use crate::state::Gateway;

/// How long a node may take, in all: what is asked here is small.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the first node says that can be asked, of those that have every finished write of the indexes. A node's refusal is
/// the client's; one of a node whose version does not know the path is said to be that.
pub(crate) async fn ask_any_node(
    gateway: &Gateway,
    indexes: &[&str],
    request: &NodeRequest,
) -> Result<Bytes, ResponseError> {
    let topology = gateway.topology.load();
    let is_fresh = |node: &Node| indexes.iter().all(|index| gateway.progress.is_fresh(node.name(), index));
    let nodes: Vec<&Node> =
        topology.fleet.iter().filter(|node| node.health().is_up() && is_fresh(node)).collect();
    for node in nodes {
        let Ok(answer) = node.ask(request, TIMEOUT).await else { continue };
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        return Err(match serde_json::from_slice::<ResponseError>(&answer.body) {
            Ok(error) => error.with_status(answer.status),
            Err(_) => {
                let path = request.path.path();
                not_supported(format!("Node `{}` has no `{path}` in its version.", node.name()))
            }
        });
    }
    Err(ResponseError::new(Code::MiroirNodeError, "No node can be asked now."))
}
