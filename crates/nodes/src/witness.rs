//! By what a node is known again: a task that it is known to have had, and when it came. The numbers of tasks grow on every
//! node, so a number alone does not tell one node from another that got its address.

use serde::{Deserialize, Serialize};

/// A task of a node, as it said itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Witness {
    /// The task's uid there.
    #[serde(rename = "uid")]
    pub task: u32,
    /// When the node took it, as it writes that.
    pub enqueued_at: String,
}

// === impl Witness ===

impl Witness {
    /// Where a node says of this task what it knows.
    pub(crate) fn path(&self) -> String {
        format!("/tasks/{}", self.task)
    }

    /// Whether the answer to that is by another node. One that does not know the task, or does not say, shows nothing.
    pub(crate) fn is_denied_by(&self, answer: &[u8]) -> bool {
        serde_json::from_slice::<Self>(answer).is_ok_and(|said| said.task == self.task && said != *self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_task_of_the_same_number_is_not_the_same_task() {
        let witness: Witness =
            serde_json::from_str(r#"{"uid":7,"status":"succeeded","enqueuedAt":"2026-01-02T03:04:05.678Z"}"#)
                .expect("a task");
        let said = |at: &str| witness.is_denied_by(format!(r#"{{"uid":7,"enqueuedAt":{at}}}"#).as_bytes());
        assert!(!said(r#""2026-01-02T03:04:05.678Z""#));
        assert!(said(r#""2026-01-02T03:04:05.679Z""#));
        assert!(!said("null"));
        assert!(!witness.is_denied_by(br#"{"message":"Task `7` not found.","code":"task_not_found"}"#));
    }
}
