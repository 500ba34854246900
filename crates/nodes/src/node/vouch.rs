//! Whether who answers at a node's address is the one that was given the node's data.
//!
//! A node that dies and is started anew closes its idle connections, and nobody need notice. So where a connection turns out
//! to be closed, the next one is asked for the node's newest task before it is used, and for one that the node is known by: a
//! node that has forgotten what it was given, or another one that got its address, gets neither reads nor writes.

use std::sync::atomic::Ordering;

use http::Uri;

use super::Node;
use crate::{
    connect::Asker,
    error::NodeError,
    pool::Lease,
    probe::{NEWEST_ENDED, newest_ended},
    request::NodeRequest,
};

impl Node {
    /// The same node, asked whatever it has forgotten: for who gives it its data anew.
    #[must_use]
    pub fn unvouched(&self) -> Self {
        let node = self.with_own_connections();
        node.inner.vouches.store(false, Ordering::Relaxed);
        node
    }

    /// Whether a new connection has to be vouched for: one before it was closed, and the node is known to have had tasks.
    fn is_in_doubt(&self) -> bool {
        let inner = &self.inner;
        inner.vouches.load(Ordering::Relaxed)
            && inner.doubt.load(Ordering::Relaxed)
            && inner.health.newest_ended().is_some()
    }

    /// Looks at the node's newest task by a connection that was just made, where that is in doubt.
    pub(super) async fn vouch(&self, lease: &mut Lease<Asker>) -> Result<(), NodeError> {
        if !self.is_in_doubt() {
            return Ok(());
        }
        self.ask_witness(lease).await?;
        let known = self.inner.health.newest_ended();
        let head = NodeRequest::get(Uri::from_static(NEWEST_ENDED)).head(&self.inner.fields);
        let asked = lease.connection.exchange(head, b"", self.inner.config.max_answer).await;
        let answer = asked.map_err(|failure| failure.error)?;
        // One that does not list its tasks says nothing of them.
        let Some(newest) = newest_ended(&answer) else { return Ok(()) };
        if self.inner.health.verify(known, newest) {
            tracing::error!(
                node = self.name(),
                "node has lost data that it was given, it is not used any more"
            );
        }
        if !self.inner.health.is_trusted() {
            return Err(NodeError::Forgetful);
        }
        self.inner.doubt.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Looks whether it is another node that answers.
    async fn ask_witness(&self, lease: &mut Lease<Asker>) -> Result<(), NodeError> {
        let Some(witness) = self.inner.health.witness() else { return Ok(()) };
        let Ok(path) = Uri::try_from(witness.path()) else { return Ok(()) };
        let head = NodeRequest::get(path).head(&self.inner.fields);
        let asked = lease.connection.exchange(head, b"", self.inner.config.max_answer).await;
        let answer = asked.map_err(|failure| failure.error)?;
        if !witness.is_denied_by(&answer.body) {
            return Ok(());
        }
        if self.inner.health.lose() {
            tracing::error!(
                node = self.name(),
                "another node answers at the node's address, it is not used any more"
            );
        }
        Err(NodeError::Forgetful)
    }

    /// The same for a connection for streamed bodies, by another one that is made after it.
    pub(super) async fn vouch_for_streams(&self) -> Result<(), NodeError> {
        if self.is_in_doubt() {
            self.connect().await?.release();
        }
        Ok(())
    }
}
