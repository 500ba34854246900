//! The messages of a conversation.

use serde::{Deserialize, Serialize};

use super::options::ToolKind;

/// One message, by who says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(crate) enum Message {
    Developer(Instructions<DeveloperText>),
    System(Instructions<SystemText>),
    User(Words),
    Assistant(Said),
    Tool(Found),
    Function(FunctionSaid),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Instructions<T> {
    content: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Words {
    content: ChatCompletionRequestUserMessageContent,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

/// What the model said, or whom it called.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<ChatCompletionRequestAssistantMessageContent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<AudioId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<ToolCallMessage>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<Function>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AudioId {
    id: String,
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    content: ChatCompletionRequestToolMessageContent,
    tool_call_id: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct FunctionSaid {
    content: Option<String>,
    name: String,
}

/// A call of a tool by the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ToolCallMessage {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) r#type: Option<ToolKind>,
    pub(crate) function: Function,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) arguments: String,
}

/// Words, or parts of this type. One type for each kind of message: errors name it.
macro_rules! contents {
    ($($name:ident of $part:ty;)*) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(untagged)]
        pub(crate) enum $name {
            Text(String),
            Array(Vec<$part>),
        }
    )*};
}

contents! {
    ChatCompletionRequestDeveloperMessageContent of TextPart;
    ChatCompletionRequestSystemMessageContent of OnlyText;
    ChatCompletionRequestUserMessageContent of UserPart;
    ChatCompletionRequestAssistantMessageContent of AssistantPart;
    ChatCompletionRequestToolMessageContent of OnlyText;
}

pub(crate) type DeveloperText = ChatCompletionRequestDeveloperMessageContent;
pub(crate) type SystemText = ChatCompletionRequestSystemMessageContent;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TextPart {
    text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum OnlyText {
    Text(TextPart),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum AssistantPart {
    Text(TextPart),
    Refusal { refusal: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum UserPart {
    Text(TextPart),
    ImageUrl { image_url: ImageUrl },
    InputAudio { input_audio: InputAudio },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ImageUrl {
    url: String,
    detail: Option<ImageDetail>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImageDetail {
    Auto,
    Low,
    High,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InputAudio {
    data: String,
    format: InputAudioFormat,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InputAudioFormat {
    Wav,
    Mp3,
}

// === impl Message ===

impl Message {
    /// Instructions to a model that knows developers.
    pub(crate) fn developer(words: String) -> Self {
        Self::Developer(Instructions { content: DeveloperText::Text(words), name: None })
    }

    /// Instructions to any other model.
    pub(crate) fn system(words: String) -> Self {
        Self::System(Instructions { content: SystemText::Text(words), name: None })
    }

    /// What the model said when it called tools.
    pub(crate) fn called(calls: Vec<ToolCallMessage>) -> Self {
        Self::Assistant(Said { tool_calls: Some(calls), ..Said::default() })
    }

    /// What a call came to.
    pub(crate) fn found(call: &str, text: String) -> Self {
        let content = ChatCompletionRequestToolMessageContent::Text(text);
        Self::Tool(Found { content, tool_call_id: call.to_owned() })
    }
}
