//! Where a workspace's model is asked, and with which fields.

use std::fmt;

pub(crate) use miroir_protocol::chats::Source;
use miroir_protocol::chats::Workspace;
use thiserror::Error;

/// Where a model is asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The whole address.
    pub url: String,
    /// The key, where it is a bearer token.
    pub bearer: Option<String>,
    /// Header fields beside those that all requests have. They may hold the key.
    pub fields: Vec<(&'static str, String)>,
}

/// The workspace does not say where its model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the workspace has no `baseUrl`")]
pub struct NoEndpoint;

// === impl Endpoint ===

impl Endpoint {
    /// Of a workspace; `key` is for one that has none.
    pub fn of(workspace: &Workspace, key: Option<&str>) -> Result<Self, NoEndpoint> {
        let base = workspace.base_url.as_deref().or(workspace.source.base_url()).ok_or(NoEndpoint)?;
        let base = base.trim_end_matches('/');
        let key = workspace.api_key.as_deref().or(key).unwrap_or_default();
        if workspace.source == Source::AzureOpenAi {
            let deployment = workspace.deployment_id.as_deref().unwrap_or_default();
            let version = workspace.api_version.as_deref().unwrap_or_default();
            let url =
                format!("{base}/openai/deployments/{deployment}/chat/completions?api-version={version}");
            return Ok(Self { url, bearer: None, fields: vec![("api-key", key.to_owned())] });
        }
        let mut fields = Vec::new();
        let ids = [("openai-organization", &workspace.org_id), ("openai-project", &workspace.project_id)];
        for (name, id) in ids {
            fields.extend(id.as_ref().filter(|id| !id.is_empty()).map(|id| (name, id.clone())));
        }
        fields.push(("openai-beta", "assistants=v2".to_owned()));
        Ok(Self { url: format!("{base}/chat/completions"), bearer: Some(key.to_owned()), fields })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_source_has_its_address_and_its_fields() {
        let workspace = Workspace {
            api_key: Some("secret".to_owned()),
            org_id: Some("o".to_owned()),
            ..Workspace::default()
        };
        let endpoint = Endpoint::of(&workspace, None).unwrap();
        assert_eq!(endpoint.url, "https://api.openai.com/v1/chat/completions");
        assert_eq!(endpoint.bearer.as_deref(), Some("secret"));
        assert!(endpoint.fields.contains(&("openai-organization", "o".to_owned())));
        assert!(!format!("{endpoint:?} {workspace:?}").contains("secret"));

        let azure = Workspace {
            source: Source::AzureOpenAi,
            base_url: Some("http://a/".to_owned()),
            deployment_id: Some("d".to_owned()),
            api_version: Some("1".to_owned()),
            ..workspace.clone()
        };
        let endpoint = Endpoint::of(&azure, None).unwrap();
        assert_eq!(endpoint.url, "http://a/openai/deployments/d/chat/completions?api-version=1");
        assert_eq!((endpoint.bearer, endpoint.fields), (None, vec![("api-key", "secret".to_owned())]));

        let own = Workspace { source: Source::VLlm, ..Workspace::default() };
        assert_eq!(Endpoint::of(&own, None), Err(NoEndpoint));
        let own = Workspace { base_url: Some("http://a/v1/".to_owned()), ..own };
        let endpoint = Endpoint::of(&own, Some("k")).unwrap();
        assert_eq!(endpoint.url, "http://a/v1/chat/completions");
        assert_eq!(endpoint.bearer.as_deref(), Some("k"));
    }
}
