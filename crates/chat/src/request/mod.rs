//! What a client asks, in the form of `OpenAI`'s API: read as strictly as Meilisearch reads it, and written for the model.
//!
//! What Meilisearch does not know it drops, so the model never sees it; what has another type is refused with the error
//! of the same field. The names of the types below are told to clients where a value fits no variant.

mod messages;
mod options;

use miroir_protocol::{error::ResponseError, parse::syntax_error};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::options::{
    Audio, ChatCompletionFunctionCall, ChatCompletionToolChoiceOption, Functions, Modality, Prediction,
    ReasoningEffort, ResponseFormat, ServiceTier, Stop, StreamOptions,
};
pub(crate) use self::{
    messages::{Function, Message, ToolCallMessage},
    options::{FunctionObject, Tool, ToolKind},
};

/// A request for the next message of a conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    pub(crate) messages: Vec<Message>,
    pub(crate) model: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<ReasoningEffort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logit_bias: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modalities: Option<Vec<Modality>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction: Option<Prediction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<Audio>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<ServiceTier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Stop>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tools: Option<Vec<Tool>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChatCompletionToolChoiceOption>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<ChatCompletionFunctionCall>,
    #[serde(skip_serializing_if = "Option::is_none")]
    functions: Option<Vec<Functions>>,
}

// === impl ChatRequest ===

impl ChatRequest {
    /// Reads a request's body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        serde_json::from_slice(body).map_err(|error| syntax_error(&error))
    }

    /// Which model is asked.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the answer is to come as a stream.
    pub fn is_streamed(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// How many answers are wanted, where that is not one.
    pub fn several(&self) -> Option<u8> {
        self.n.filter(|n| *n != 1)
    }

    /// Puts the words of a workspace before those of the client.
    pub fn instruct(&mut self, words: String, is_developer: bool) {
        let message = if is_developer { Message::developer(words) } else { Message::system(words) };
        self.messages.insert(0, message);
    }

    /// Asks the model to stream, and to say how many tokens it took where it knows how to.
    pub fn stream(&mut self, tells_usage: bool) {
        self.stream = Some(true);
        self.stream_options = tells_usage.then_some(StreamOptions { include_usage: true });
    }

    /// The body that asks the model.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("what was JSON is JSON")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: &str) -> (String, String) {
        let error = ChatRequest::from_json(body.as_bytes()).unwrap_err();
        (error.code_name().to_owned(), error.message().to_owned())
    }

    #[test]
    fn what_meilisearch_knows_reaches_the_model_and_nothing_else() {
        let body = json!({
            "model": "gpt-4o", "stream": true, "temperature": 0.7, "unknown": 1, "tool_choice": "auto",
            "stop": ["a"], "response_format": { "type": "text" }, "logit_bias": { "50256": -100 },
            "messages": [
                { "role": "user", "content": "hi", "whim": true },
                { "role": "user", "content": [{ "type": "text", "text": "a" },
                    { "type": "image_url", "image_url": { "url": "u" } }] },
                { "role": "assistant", "tool_calls": [{ "id": "1", "type": "function",
                    "function": { "name": "f", "arguments": "{}" } }] },
                { "role": "tool", "tool_call_id": "1", "content": "found" },
            ],
        });
        let request = ChatRequest::from_json(body.to_string().as_bytes()).unwrap();
        let sent: Value = serde_json::from_slice(&request.to_json()).unwrap();
        let mut expected = body;
        expected.as_object_mut().unwrap().remove("unknown");
        expected["messages"][0].as_object_mut().unwrap().remove("whim");
        expected["messages"][1]["content"][1]["image_url"]["detail"] = Value::Null;
        expected["temperature"] = sent["temperature"].clone();
        assert_eq!(sent, expected);
        assert_eq!(sent["temperature"].as_f64().map(|warm| (warm * 10.0).round()), Some(7.0));
    }

    #[test]
    fn what_has_the_wrong_shape_is_refused_in_meilisearchs_words() {
        let (code, message) = refused("{}");
        assert_eq!(code, "bad_request");
        assert_eq!(message, "Json deserialize error: missing field `messages` at line 1 column 2");
        assert_eq!(refused("").0, "missing_payload");
        assert_eq!(refused("{").0, "malformed_payload");
        let (_, message) = refused(r#"{"model":"m","messages":[{"role":"user","content":3}]}"#);
        assert!(
            message.contains("any variant of untagged enum ChatCompletionRequestUserMessageContent"),
            "{message}"
        );
        let (_, message) = refused(r#"{"model":"m","messages":[{"role":"robot","content":"a"}]}"#);
        assert!(
            message.contains("unknown variant `robot`, expected one of `developer`, `system`"),
            "{message}"
        );
    }

    #[test]
    fn instructions_come_first() {
        let mut request = ChatRequest::from_json(br#"{"model":"m","messages":[]}"#).unwrap();
        request.instruct("be kind".to_owned(), true);
        request.stream(true);
        let sent: Value = serde_json::from_slice(&request.to_json()).unwrap();
        assert_eq!(sent["messages"], json!([{ "role": "developer", "content": "be kind" }]));
        assert_eq!(
            (&sent["stream"], &sent["stream_options"]),
            (&json!(true), &json!({"include_usage": true}))
        );
    }
}
