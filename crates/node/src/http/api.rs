//! What every route works with.

use std::sync::Arc;

use miroir_protocol::error::{Code, ResponseError};
use tokio::sync::Semaphore;

use super::reply::Failure;
use crate::config::NodeConfig;
use crate::error::EngineError;
use crate::scheduler::{Operation, Scheduler};
use crate::state::State;
use crate::store::{NewTask, Task};

/// What every route works with.
pub(crate) struct Api {
    state: Arc<State>,
    scheduler: Scheduler,
    reads: Semaphore,
    pub(super) master_key: Option<String>,
    pub(super) payload_limit: usize,
}

impl Api {
    /// The API of a node.
    pub(crate) fn new(config: &NodeConfig, state: Arc<State>, scheduler: Scheduler) -> Self {
        Self {
            state,
            scheduler,
            reads: Semaphore::new(config.concurrent_searches.max(1)),
            master_key: config.master_key.clone(),
            payload_limit: config.payload_limit,
        }
    }

    /// What the parts of the node share.
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Reads from the engine on a thread that may block; a panic there fails this request alone.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&State) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, Failure> {
        let _permit = self.reads.acquire().await.map_err(|error| internal(&error))?;
        let state = self.state.clone();
        let done = tokio::task::spawn_blocking(move || work(&state)).await;
        Ok(done.map_err(|error| internal(&error))??)
    }

    /// Puts a task at the end of the queue.
    pub(super) async fn enqueue(
        &self,
        index_uid: Option<String>,
        operation: Operation,
        custom_metadata: Option<String>,
    ) -> Result<Task, Failure> {
        let scheduler = self.scheduler.clone();
        let new = NewTask { index_uid, operation, custom_metadata };
        let done = tokio::task::spawn_blocking(move || scheduler.enqueue(new)).await;
        Ok(done.map_err(|error| internal(&error))?.map_err(EngineError::from)?)
    }
}

/// A failure that is nobody's but the node's.
fn internal(error: &dyn std::error::Error) -> ResponseError {
    tracing::error!(%error, "request failed");
    ResponseError::new(Code::Internal, format!("An internal error has occurred. `{error}`."))
}
