//! What the tests of the queue share.

use tempfile::TempDir;

use super::{Method, Operation};
use crate::config::NodeConfig;
use crate::state::State;
use crate::store::NewTask;

/// The state of an empty node.
pub(super) fn state() -> (TempDir, State) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = NodeConfig::new(([127, 0, 0, 1], 0).into(), directory.path());
    let state = State::open(&config).expect("an empty node opens");
    (directory, state)
}

/// Puts an addition of one document into the queue.
pub(super) fn addition(state: &State, index: &str, document: &str) -> u32 {
    let payload = uuid::Uuid::new_v4().to_string();
    std::fs::write(state.payload(&payload), document).expect("a payload is written");
    let operation = Operation::DocumentAddition {
        method: Method::Replace,
        primary_key: None,
        payload,
        documents: 1,
        bytes: document.len() as u64,
        skip_creation: false,
    };
    let new = NewTask { index_uid: Some(index.to_owned()), operation, custom_metadata: None };
    state.store.enqueue(new).expect("a task is enqueued").uid
}
