//! What is searched for.

use bytes::Bytes;
use serde_json::{Value, json};

/// Bodies of searches, given out one after another and over again.
#[derive(Debug)]
pub(crate) struct Queries(Vec<Bytes>);

// === impl Queries ===

impl Queries {
    /// One body a line.
    pub(crate) fn from_lines(text: &str) -> Result<Self, String> {
        let lines = text.lines().filter(|line| !line.trim().is_empty());
        let check = |(place, line): (usize, &str)| match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(_)) => Ok(line.to_owned().into()),
            Ok(_) => Err(format!("query {}: not an object", place + 1)),
            Err(error) => Err(format!("query {}: {error}", place + 1)),
        };
        Self::new(lines.enumerate().map(check).collect::<Result<_, _>>()?)
    }

    /// The first word and the first two words of every text of these documents.
    pub(crate) fn from_documents(documents: &[Value]) -> Result<Self, String> {
        let texts = documents.iter().filter_map(Value::as_object).flat_map(|document| document.values());
        let queries = texts.filter_map(Value::as_str).flat_map(|text| {
            let words: Vec<&str> =
                text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 1).collect();
            (1..=words.len().min(2)).map(|count| words[..count].join(" ")).collect::<Vec<_>>()
        });
        Self::new(queries.map(|words| json!({ "q": words }).to_string().into()).collect())
    }

    fn new(bodies: Vec<Bytes>) -> Result<Self, String> {
        if bodies.is_empty() { Err("there is nothing to search for".to_owned()) } else { Ok(Self(bodies)) }
    }

    /// The body of that number.
    pub(crate) fn get(&self, number: usize) -> Bytes {
        self.0[number % self.0.len()].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_from_the_documents() {
        let documents =
            [json!({ "id": 1, "title": "Star Wars: a new hope", "tags": [] }), json!({ "title": "Up" })];
        let queries = Queries::from_documents(&documents).expect("words");
        let bodies: Vec<Bytes> = (0..4).map(|number| queries.get(number)).collect();
        assert_eq!(bodies, [r#"{"q":"Star"}"#, r#"{"q":"Star Wars"}"#, r#"{"q":"Up"}"#, r#"{"q":"Star"}"#]);
        assert!(Queries::from_documents(&[json!({ "id": 1 })]).is_err());
    }

    #[test]
    fn a_line_that_is_no_search_is_named() {
        assert!(Queries::from_lines("{\"q\":\"a\"}\n\n{\"q\":\"b\"}\n").is_ok());
        let error = Queries::from_lines("{\"q\":\"a\"}\n[1]\n").expect_err("a list");
        assert_eq!(error, "query 2: not an object");
    }
}
