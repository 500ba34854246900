//! Chat workspaces: which model a chat talks to, and what it is told.

mod prompts;

use std::fmt;

use deserr::Deserr;
use serde::{Deserialize, Serialize};

pub use self::prompts::{Prompts, PromptsChange};
use crate::{
    error::{Code, ResponseError, marker},
    parse::{self, JsonRefusal},
    settings::Setting,
};

/// The settings of a workspace.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// Whose API the model has.
    pub source: Source,
    /// The organisation, of `OpenAI`.
    pub org_id: Option<String>,
    /// The project, of `OpenAI`.
    pub project_id: Option<String>,
    /// The version of the API, of Azure.
    pub api_version: Option<String>,
    /// The deployment, of Azure.
    pub deployment_id: Option<String>,
    /// Where the model is, if not where the source says.
    pub base_url: Option<String>,
    /// The key.
    pub api_key: Option<String>,
    /// What the model is told.
    pub prompts: Prompts,
}

/// Whose API a model has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserr, Serialize, Deserialize)]
#[deserr(rename_all = camelCase)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// `OpenAI`'s.
    #[default]
    OpenAi,
    /// Mistral's.
    Mistral,
    /// `OpenAI`'s, as Microsoft's Azure has it.
    AzureOpenAi,
    /// `OpenAI`'s, of a server of one's own.
    VLlm,
}

/// Changes of a workspace: a member that is `null` goes back to its default, one that is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
pub struct WorkspaceChange {
    #[deserr(default)]
    source: Setting<Source>,
    #[deserr(default, error = JsonRefusal<marker::InvalidChatCompletionOrgId>)]
    org_id: Setting<String>,
    #[deserr(default, error = JsonRefusal<marker::InvalidChatCompletionProjectId>)]
    project_id: Setting<String>,
    #[deserr(default, error = JsonRefusal<marker::InvalidChatCompletionApiVersion>)]
    api_version: Setting<String>,
    #[deserr(default, error = JsonRefusal<marker::InvalidChatCompletionDeploymentId>)]
    deployment_id: Setting<String>,
    #[deserr(default, error = JsonRefusal<marker::InvalidChatCompletionBaseApi>)]
    base_url: Setting<String>,
    #[deserr(default, error = JsonRefusal<marker::InvalidChatCompletionApiKey>)]
    api_key: Setting<String>,
    #[deserr(default)]
    prompts: Setting<PromptsChange>,
}

/// `OpenAI`'s models that are instructed by the system. Newer ones are by a developer.
const OLD_MODELS: [&str; 6] = ["gpt-3.5", "gpt-4", "gpt-4.1", "gpt-4.5", "gpt-4o", "chatgpt-4o"];

// === impl Workspace ===

impl Workspace {
    /// Changes what the change names, if that can be.
    pub fn changed(mut self, change: WorkspaceChange) -> Result<Self, ResponseError> {
        match change.source {
            Setting::Set(source) => self.source = source,
            Setting::Reset => self.source = Source::default(),
            Setting::NotSet => {}
        }
        for (member, change) in [
            (&mut self.org_id, change.org_id),
            (&mut self.project_id, change.project_id),
            (&mut self.api_version, change.api_version),
            (&mut self.deployment_id, change.deployment_id),
            (&mut self.base_url, change.base_url),
            (&mut self.api_key, change.api_key),
        ] {
            match change {
                Setting::Set(text) => *member = Some(text),
                Setting::Reset => *member = None,
                Setting::NotSet => {}
            }
        }
        match change.prompts {
            Setting::Set(prompts) => self.prompts.apply(prompts),
            Setting::Reset => self.prompts = Prompts::default(),
            Setting::NotSet => {}
        }
        self.check().map(|()| self)
    }

    fn check(&self) -> Result<(), ResponseError> {
        let lacks = match self.source {
            Source::AzureOpenAi
                if [&self.base_url, &self.deployment_id, &self.api_version].iter().any(|id| id.is_none()) =>
            {
                "azureOpenAi requires setting a valid `baseUrl`, `deploymentId`, and `apiVersion`"
            }
            Source::VLlm if self.base_url.is_none() => "vLlm requires setting a valid `baseUrl`",
            _ => return Ok(()),
        };
        Err(ResponseError::new(Code::BadRequest, lacks))
    }

    /// The settings as they are shown: of the key, no more than how it begins.
    #[must_use]
    pub fn shown(&self) -> Self {
        Self { api_key: self.api_key.as_deref().map(hidden), ..self.clone() }
    }
}

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace").field("source", &self.source).finish_non_exhaustive()
    }
}

fn hidden(key: &str) -> String {
    let (shown, marks) = match key.len() {
        0..10 => (0, "XXX..."),
        10..20 => (2, "XXXX..."),
        20..30 => (3, "XXXXX..."),
        _ => (5, "XXXXXX..."),
    };
    // A key that is no plain text shows nothing of itself.
    format!("{}{marks}", key.get(..shown).unwrap_or_default())
}

// === impl Source ===

impl Source {
    /// Where its models are, where that is known.
    pub fn base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1/"),
            Self::Mistral => Some("https://api.mistral.ai/v1/"),
            Self::AzureOpenAi | Self::VLlm => None,
        }
    }

    /// Whether a model takes instructions from a developer, not from the system.
    pub fn knows_developers(self, model: &str) -> bool {
        let is_old =
            |old: &&str| model.strip_prefix(old).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
        matches!(self, Self::OpenAi | Self::AzureOpenAi) && !OLD_MODELS.iter().any(is_old)
    }

    /// Whether a model says how many tokens it took, if it is asked to.
    pub fn tells_usage(self) -> bool {
        matches!(self, Self::OpenAi | Self::AzureOpenAi)
    }
}

// === impl WorkspaceChange ===

impl WorkspaceChange {
    /// Parses the body of `PATCH /chats/{uid}/settings`.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(body: &Value) -> WorkspaceChange {
        WorkspaceChange::from_json(body.to_string().as_bytes()).expect("a change")
    }

    #[test]
    fn members_are_set_reset_and_left_alone() {
        let workspace = Workspace::default();
        let body = json!({ "source": "mistral", "apiKey": "k", "prompts": { "system": "be kind" } });
        let workspace = workspace.changed(change(&body)).expect("can be");
        assert_eq!((workspace.source, workspace.api_key.as_deref()), (Source::Mistral, Some("k")));
        assert_eq!(workspace.prompts.system, "be kind");
        assert_eq!(workspace.prompts.search_q_param, Prompts::default().search_q_param);
        let body = json!({ "source": null, "prompts": { "system": null } });
        let workspace = workspace.changed(change(&body)).expect("can be");
        assert_eq!((workspace.source, workspace.api_key.as_deref()), (Source::OpenAi, Some("k")));
        assert_eq!(workspace.prompts, Prompts::default());
    }

    #[test]
    fn some_sources_need_an_address() {
        for (source, named) in [("vLlm", "baseUrl"), ("azureOpenAi", "deploymentId")] {
            let refused = Workspace::default().changed(change(&json!({ "source": source })));
            let error = refused.expect_err("lacks an address");
            assert!(error.message().contains(named), "{error}");
        }
        let error = WorkspaceChange::from_json(br#"{"apiKey":1}"#).expect_err("no text");
        assert_eq!(error.code_name(), "invalid_chat_completion_api_key");
    }

    #[test]
    fn keys_are_shown_by_their_beginning() {
        for (key, shown) in [
            ("short", "XXX..."),
            ("0123456789", "01XXXX..."),
            ("01234567890123456789", "012XXXXX..."),
            ("012345678901234567890123456789", "01234XXXXXX..."),
            ("éééééééééééééééé", "XXXXXX..."),
        ] {
            let workspace = Workspace { api_key: Some(key.to_owned()), ..Workspace::default() };
            assert_eq!(workspace.shown().api_key.as_deref(), Some(shown));
            assert!(!format!("{workspace:?}").contains(key));
        }
    }

    #[test]
    fn newer_models_know_developers() {
        for old in
            ["gpt-4", "gpt-4-0613", "gpt-3.5-turbo", "gpt-4o-mini", "gpt-4.1-nano", "chatgpt-4o-latest"]
        {
            assert!(!Source::OpenAi.knows_developers(old), "{old}");
        }
        for new in ["o1", "o3-mini", "gpt-5", "gpt-4x"] {
            assert!(Source::AzureOpenAi.knows_developers(new), "{new}");
            assert!(!Source::Mistral.knows_developers(new) && !Source::VLlm.knows_developers(new));
        }
    }
}
