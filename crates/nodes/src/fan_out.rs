//! Several nodes at once.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::{
    error::NodeError,
    node::Node,
    request::{Answer, NodeRequest},
};

/// How often it is looked whether nodes answer.
const LOOK: Duration = Duration::from_millis(50);

/// One node's part of a request.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who is asked.
    pub node: Node,
    /// What it is asked.
    pub request: NodeRequest,
}

/// What came of one [`Call`].
#[derive(Debug)]
pub struct Outcome {
    /// Who was asked.
    pub node: Node,
    /// Its answer, or why there is none.
    pub result: Result<Answer, NodeError>,
}

/// Asks all at once and waits for every outcome, in the order of the calls. Dropping the future cancels what is still
/// under way.
pub async fn fan_out(calls: &[Call], timeout: Duration) -> Vec<Outcome> {
    if let [only] = calls {
        return vec![ask(only, timeout).await];
    }
    join_all(calls.iter().map(|call| ask(call, timeout))).await
}

/// Ends once one of these nodes [answers](crate::Health::answers) no more: what was asked of it need not be waited for any longer.
pub async fn one_falls_silent<'a, I>(nodes: I)
where
    I: IntoIterator<Item = &'a Node> + Clone,
{
    while nodes.clone().into_iter().all(|node| node.health().answers()) {
        sleep(LOOK).await;
    }
}

async fn ask(call: &Call, timeout: Duration) -> Outcome {
    Outcome { node: call.node.clone(), result: call.node.ask(&call.request, timeout).await }
}
