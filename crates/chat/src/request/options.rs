//! What a request says beside its messages.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Stop {
    String(String),
    StringArray(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StreamOptions {
    pub(crate) include_usage: bool,
}

/// Enumerations that are one lower-case word each.
macro_rules! words {
    ($($name:ident: $($word:ident)*;)*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub(crate) enum $name { $($word,)* }
    )*};
}

words! {
    ReasoningEffort: Low Medium High;
    ServiceTier: Auto Default;
    Modality: Text Audio;
    Voice: Alloy Ash Ballad Coral Echo Sage Shimmer Verse;
    AudioFormat: Wav Mp3 Flac Opus Pcm16;
    ToolKind: Function;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Audio {
    voice: Voice,
    format: AudioFormat,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", content = "content")]
pub(crate) enum Prediction {
    Content(PredictionContentContent),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum PredictionContentContent {
    Text(String),
    Array(Vec<PredictedText>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PredictedText {
    text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ResponseFormat {
    Text,
    JsonObject,
    JsonSchema { json_schema: JsonSchema },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct JsonSchema {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tool {
    pub(crate) r#type: ToolKind,
    pub(crate) function: FunctionObject,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FunctionObject {
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) strict: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChatCompletionToolChoiceOption {
    None,
    Auto,
    Required,
    #[serde(untagged)]
    Named(NamedTool),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NamedTool {
    r#type: ToolKind,
    function: FunctionName,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FunctionName {
    name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ChatCompletionFunctionCall {
    None,
    Auto,
    #[serde(untagged)]
    Function {
        name: String,
    },
}

/// A function, in the older form of a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Functions {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    parameters: Value,
}
