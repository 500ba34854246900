//! A client's filter, narrowed to what is wanted of a node.

use serde_json::Value;

/// Both filters at once. They stay apart, so that the node reports an error at the place where the client wrote it.
pub(super) fn narrowed(client: Option<&Value>, node: Option<&str>) -> Option<Value> {
    let Some(node) = node else { return client.cloned() };
    let mut all = vec![Value::from(node)];
    match client {
        None | Some(Value::Null) => {}
        Some(Value::Array(terms)) => all.extend(terms.iter().cloned()),
        Some(term) => all.push(term.clone()),
    }
    Some(Value::Array(all))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn without_a_node_filter_the_client_s_stays_as_it_is() {
        let client = json!(["a = 1", ["b = 2", "c = 3"]]);
        assert_eq!(narrowed(Some(&client), None), Some(client));
        assert_eq!(narrowed(None, None), None);
    }

    #[test]
    fn both_have_to_match() {
        assert_eq!(narrowed(None, Some("s")), Some(json!(["s"])));
        assert_eq!(narrowed(Some(&json!("a = 1")), Some("s")), Some(json!(["s", "a = 1"])));
        let terms = json!(["a = 1", ["b = 2", "c = 3"]]);
        assert_eq!(narrowed(Some(&terms), Some("s")), Some(json!(["s", "a = 1", ["b = 2", "c = 3"]])));
    }
}
