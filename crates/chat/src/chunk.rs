//! A piece of the model's answer: read leniently, written in full, as Meilisearch hands it on.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::request::ToolKind;

/// A piece of the model's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    id: String,
    pub(crate) choices: Vec<Choice>,
    created: u32,
    model: String,
    service_tier: Option<String>,
    system_fingerprint: Option<String>,
    object: String,
    usage: Option<Usage>,
}

/// How many tokens an answer took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Those the model read.
    pub prompt_tokens: u32,
    /// Those it wrote.
    pub completion_tokens: u32,
    /// All of them.
    pub total_tokens: u32,
    prompt_tokens_details: Option<PromptTokens>,
    completion_tokens_details: Option<CompletionTokens>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PromptTokens {
    audio_tokens: Option<u32>,
    cached_tokens: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct CompletionTokens {
    accepted_prediction_tokens: Option<u32>,
    audio_tokens: Option<u32>,
    reasoning_tokens: Option<u32>,
    rejected_prediction_tokens: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Choice {
    index: u32,
    pub(crate) delta: Delta,
    pub(crate) finish_reason: Option<String>,
    logprobs: Option<Logprobs>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delta {
    #[serde(default, deserialize_with = "words")]
    content: Option<String>,
    function_call: Option<CalledFunction>,
    pub(crate) tool_calls: Option<Vec<CallChunk>>,
    role: Option<String>,
    refusal: Option<String>,
}

/// A piece of a call of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CallChunk {
    pub(crate) index: u32,
    pub(crate) id: Option<String>,
    r#type: Option<ToolKind>,
    pub(crate) function: Option<CalledFunction>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CalledFunction {
    pub(crate) name: Option<String>,
    pub(crate) arguments: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Logprobs {
    content: Option<Vec<TokenLogprob>>,
    refusal: Option<Vec<TokenLogprob>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TokenLogprob {
    token: String,
    logprob: f32,
    bytes: Option<Vec<u8>>,
    top_logprobs: Vec<TopLogprob>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TopLogprob {
    token: String,
    logprob: f32,
    bytes: Option<Vec<u8>>,
}

/// Words as one text, or in parts of which only those of text count: Mistral's models put references beside them.
fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Value>::deserialize(deserializer)? {
        Some(Value::String(text)) => Some(text),
        Some(Value::Array(parts)) => {
            let texts = parts.iter().filter(|part| part["type"] == "text");
            let text: String = texts.filter_map(|part| part["text"].as_str()).collect();
            Some(text).filter(|text| !text.is_empty())
        }
        _ => None,
    })
}

// === impl Chunk ===

impl Chunk {
    /// Reads the data of an event.
    pub fn from_json(data: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(data)
    }

    /// How many tokens the answer took, where the model says so.
    pub fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }

    /// The same chunk with a call of a tool in the place of what the model said: a message to the client's program.
    pub(crate) fn telling(&self, id: String, name: &str, arguments: String) -> Self {
        let function = CalledFunction { name: Some(name.to_owned()), arguments: Some(arguments) };
        let call =
            CallChunk { index: 0, id: Some(id), r#type: Some(ToolKind::Function), function: Some(function) };
        let delta =
            Delta { tool_calls: Some(vec![call]), role: Some("assistant".to_owned()), ..Delta::default() };
        let mut telling = self.clone();
        let choice = Choice { delta, ..Choice::default() };
        match telling.choices.first_mut() {
            Some(first) => *first = choice,
            None => telling.choices.push(choice),
        }
        telling
    }

    /// The chunk as the data of an event.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("what was JSON is JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(json: &str) -> Option<String> {
        let text = format!(
            r#"{{"id":"i","object":"o","created":1,"model":"m","choices":[{{"index":0,"delta":{{"content":{json}}}}}]}}"#
        );
        Chunk::from_json(&text).unwrap().choices[0].delta.content.clone()
    }

    #[test]
    fn words_come_as_a_text_or_in_parts() {
        assert_eq!(content(r#""a""#).as_deref(), Some("a"));
        assert_eq!(
            content(r#"[{"type":"reference","reference_ids":[]},{"type":"text","text":"b"}]"#).as_deref(),
            Some("b")
        );
        assert_eq!(content(r#"[{"type":"reference","reference_ids":[]}]"#), None);
        assert_eq!(content("null"), None);
    }

    #[test]
    fn a_chunk_is_written_in_full() {
        let chunk = Chunk::from_json(
            r#"{"id":"i","object":"chat.completion.chunk","created":1,"model":"m","odd":1,
                "choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#,
        );
        let expected = concat!(
            r#"{"id":"i","choices":[{"index":0,"delta":{"content":"a","function_call":null,"tool_calls":null,"role":null,"#,
            r#""refusal":null},"finish_reason":null,"logprobs":null}],"created":1,"model":"m","service_tier":null,"#,
            r#""system_fingerprint":null,"object":"chat.completion.chunk","usage":null}"#
        );
        assert_eq!(chunk.unwrap().to_json(), expected);
    }
}
