//! What can be wrong with the nodes' answers.

use crate::scan::ScanError;

/// Why no merged answer could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MergeError {
    /// There was nothing to merge.
    #[error("no answers to merge")]
    NoAnswers,
    /// A node's answer is not what Meilisearch sends.
    #[error("the answer of node {node} is malformed at byte {offset}: {reason}")]
    Malformed {
        /// Which of the given answers, from 0.
        node: usize,
        /// Where in that answer.
        offset: usize,
        /// What was expected there.
        reason: &'static str,
    },
}

/// Names the node that a scan error comes from.
pub(crate) trait InNode<T> {
    /// Turns the error of a scan into that of the merge; `base` is where the scanned text starts in the answer.
    fn in_node(self, node: usize, base: usize) -> Result<T, MergeError>;
}

impl<T> InNode<T> for Result<T, ScanError> {
    fn in_node(self, node: usize, base: usize) -> Result<T, MergeError> {
        self.map_err(|ScanError { offset, reason }| MergeError::Malformed {
            node,
            offset: base + offset,
            reason,
        })
    }
}
