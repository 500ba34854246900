//! Settings that a node's version does not have: they are not sent to it.

use std::collections::BTreeSet;

use miroir_protocol::error::ResponseError;
use serde_json::Value;

/// What one node was found to lack, each as the path to it.
#[derive(Debug, Default)]
pub(crate) struct Lacking(BTreeSet<Vec<String>>);

impl Lacking {
    /// Learns from a node's refusal of settings. The path, where it says that there is no such setting.
    pub(crate) fn learn(&mut self, error: &ResponseError) -> Option<String> {
        let (name, rest) = error.message().strip_prefix("Unknown field `")?.split_once('`')?;
        let parent = rest.strip_prefix(" inside `.").and_then(|rest| Some(rest.split_once('`')?.0));
        let path: Vec<String> =
            parent.iter().flat_map(|parent| parent.split('.')).chain([name]).map(str::to_owned).collect();
        let text = path.join(".");
        self.0.insert(path).then_some(text)
    }

    /// The settings without what the node lacks; `None` where it lacks none of them.
    pub(crate) fn without(&self, settings: &Value) -> Option<Value> {
        let mut reduced = settings.clone();
        let mut any = false;
        for path in &self.0 {
            let Some((last, parents)) = path.split_last() else { continue };
            let parent = parents.iter().try_fold(&mut reduced, |value, name| value.get_mut(name));
            any |= parent.and_then(Value::as_object_mut).and_then(|members| members.remove(last)).is_some();
        }
        any.then_some(reduced)
    }
}

#[cfg(test)]
mod tests {
    use miroir_protocol::error::Code;
    use serde_json::json;

    use super::*;

    fn refusal(message: &str) -> ResponseError {
        ResponseError::new(Code::BadRequest, message)
    }

    #[test]
    fn what_a_version_does_not_know_is_left_out() {
        let mut lacking = Lacking::default();
        let first = refusal("Unknown field `foreignKeys`: expected one of `displayedAttributes`");
        assert_eq!(lacking.learn(&first).as_deref(), Some("foreignKeys"));
        assert_eq!(lacking.learn(&first), None, "known");
        let nested =
            refusal("Unknown field `disableOnNumbers` inside `.typoTolerance`: expected one of `enabled`");
        assert_eq!(lacking.learn(&nested).as_deref(), Some("typoTolerance.disableOnNumbers"));
        let settings =
            json!({"foreignKeys": [], "typoTolerance": {"enabled": true, "disableOnNumbers": true}});
        assert_eq!(lacking.without(&settings), Some(json!({"typoTolerance": {"enabled": true}})));
        assert_eq!(lacking.without(&json!({"stopWords": []})), None);
    }

    #[test]
    fn other_refusals_teach_nothing() {
        let mut lacking = Lacking::default();
        assert_eq!(lacking.learn(&refusal("Invalid value type at `.stopWords`: expected an array")), None);
    }
}
