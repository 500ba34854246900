//! What entries ask of the gateway itself, such as a dump: done at their place in the log.
//!
//! Everything before such an entry has been applied on every node that is waited for, and nothing behind it is decided
//! before it has ended: what is read meanwhile is one state of everything.

use miroir_log::{Entry, Outcome};
use miroir_protocol::error::{Code, ResponseError};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

/// An entry that is to be done now.
#[derive(Debug)]
pub struct Chore {
    /// The entry.
    pub entry: Entry,
    done: oneshot::Sender<ChoreEnd>,
}

/// How a [`Chore`] ended.
#[derive(Debug)]
pub struct ChoreEnd {
    /// Whether it was done.
    pub outcome: Outcome,
    /// The details of its task, where they are others now.
    pub details: Option<Value>,
}

/// Gives chores to whoever does them.
#[derive(Debug)]
pub(crate) struct Chores(mpsc::Sender<Chore>);

impl Chore {
    /// Says how it ended.
    pub fn end(self, end: ChoreEnd) {
        // Where nobody waits, the program is ending: it is done again after the next start.
        let _ = self.done.send(end);
    }
}

impl Chores {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Chore>) {
        let (sender, receiver) = mpsc::channel(1);
        (Self(sender), receiver)
    }

    /// Has an entry done; that may take any time.
    pub(crate) async fn have_done(&self, entry: Entry) -> ChoreEnd {
        let (done, end) = oneshot::channel();
        if self.0.send(Chore { entry, done }).await.is_err() {
            return nobody();
        }
        end.await.unwrap_or_else(|_| nobody())
    }
}

fn nobody() -> ChoreEnd {
    let error = ResponseError::new(Code::Internal, "Nobody does this in this process.");
    ChoreEnd { outcome: Outcome::Failed(error), details: None }
}
