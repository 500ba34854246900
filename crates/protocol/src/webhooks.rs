//! Webhooks: who is told of finished tasks.

use std::{collections::BTreeMap, convert::Infallible};

use deserr::{DeserializeError, Deserr, ErrorKind, ValuePointerRef, take_cf_content};
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::{
    error::{Code, ResponseError, marker},
    parse::{self, JsonRefusal, immutable_field},
    settings::{Setting, hide_secret},
};

/// How many there may be beside the configured one.
pub const MOST: usize = 20;
/// How many headers one may have.
const MOST_HEADERS: usize = 200;

/// Where finished tasks are sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// The address.
    pub url: String,
    /// Headers sent along.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
}

/// A webhook as answers show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookView {
    /// Its name; that of the configured one is all zeros.
    pub uuid: Uuid,
    /// Whether requests can change it.
    pub is_editable: bool,
    /// The address and the headers, secrets hidden.
    #[serde(flatten)]
    pub webhook: Webhook,
}

/// The body of `POST /webhooks` and `PATCH /webhooks/{uuid}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields = refuse_field)]
pub struct WebhookChange {
    /// The address.
    #[deserr(default, error = JsonRefusal<marker::InvalidWebhookUrl>)]
    pub url: Setting<String>,
    /// Headers that are set, or taken away with `null`.
    #[deserr(default, error = JsonRefusal<marker::InvalidWebhookHeaders>)]
    pub headers: Setting<BTreeMap<String, Setting<String>>>,
}

// === impl Webhook ===

impl Webhook {
    /// As it is shown: what authorizes is hidden but for a few characters.
    pub fn view(&self, uuid: Uuid) -> WebhookView {
        let mut webhook = self.clone();
        for (name, value) in &mut webhook.headers {
            if name.eq_ignore_ascii_case("authorization") {
                let kept = if value.starts_with("Bearer ") { "Bearer ".len() } else { 0 };
                let mut secret = value.split_off(kept);
                hide_secret(&mut secret);
                value.push_str(&secret);
            }
        }
        WebhookView { uuid, is_editable: !uuid.is_nil(), webhook }
    }

    fn checked(self, uuid: Uuid) -> Result<Self, ResponseError> {
        if self.url.is_empty() {
            return Err(missing_url(uuid));
        }
        if self.headers.len() > MOST_HEADERS {
            return Err(too_many_headers(uuid));
        }
        for (name, value) in &self.headers {
            let wrong = |message| ResponseError::new(Code::InvalidWebhookHeaders, message);
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|error| wrong(format!("Invalid header name `{name}`: {error}")))?;
            HeaderValue::from_str(value)
                .map_err(|error| wrong(format!("Invalid header value `{name}`: {error}")))?;
        }
        if let Err(error) = Url::parse(&self.url) {
            let message = format!("Invalid URL `{}`: {error}", self.url);
            return Err(ResponseError::new(Code::InvalidWebhookUrl, message));
        }
        Ok(self)
    }
}

// === impl WebhookChange ===

impl WebhookChange {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }

    /// A new webhook, where there are so many already.
    pub fn create(self, uuid: Uuid, existing: usize) -> Result<Webhook, ResponseError> {
        if self.headers.as_set().is_some_and(|headers| headers.len() > MOST_HEADERS) {
            return Err(too_many_headers(uuid));
        }
        if existing >= MOST {
            let message = format!(
                "Defining too many webhooks would crush the server. Please limit the number of webhooks to {MOST}. You \
                 may use a third-party proxy server to dispatch events to more than {MOST} endpoints."
            );
            return Err(ResponseError::new(Code::InvalidWebhooks, message));
        }
        let url = self.url.set().ok_or_else(|| missing_url(uuid))?;
        let headers = self.headers.set().unwrap_or_default().into_iter();
        let headers = headers.map(|(name, value)| (name, value.set().unwrap_or_default())).collect();
        Webhook { url, headers }.checked(uuid)
    }

    /// An existing webhook, changed.
    pub fn apply(self, uuid: Uuid, mut webhook: Webhook) -> Result<Webhook, ResponseError> {
        match self.url {
            Setting::Set(url) => webhook.url = url,
            Setting::NotSet => {}
            Setting::Reset => return Err(missing_url(uuid)),
        }
        match self.headers {
            Setting::Set(headers) => {
                for (name, value) in headers {
                    match value {
                        Setting::Set(value) => drop(webhook.headers.insert(name, value)),
                        Setting::Reset => drop(webhook.headers.remove(&name)),
                        Setting::NotSet => {}
                    }
                }
            }
            Setting::Reset => webhook.headers.clear(),
            Setting::NotSet => {}
        }
        webhook.checked(uuid)
    }
}

/// The uuid in the path of a request.
pub fn uuid_from_path(uuid: &str) -> Result<Uuid, ResponseError> {
    uuid.parse()
        .map_err(|error| ResponseError::new(Code::InvalidWebhookUuid, format!("Invalid UUID: {error}")))
}

/// There is no such webhook.
pub fn not_found(uuid: Uuid) -> ResponseError {
    ResponseError::new(Code::WebhookNotFound, format!("Webhook `{uuid}` not found."))
}

/// Refuses to change the webhook of the configuration.
pub fn check_editable(uuid: Uuid) -> Result<(), ResponseError> {
    if !uuid.is_nil() {
        return Ok(());
    }
    let message = format!(
        "Webhook `{uuid}` is immutable. The webhook defined from the command line cannot be modified using the API."
    );
    Err(ResponseError::new(Code::ImmutableWebhook, message))
}

fn missing_url(uuid: Uuid) -> ResponseError {
    ResponseError::new(Code::InvalidWebhookUrl, format!("The URL for the webhook `{uuid}` is missing."))
}

fn too_many_headers(uuid: Uuid) -> ResponseError {
    let message = format!(
        "Too many headers for the webhook `{uuid}`. Please limit the number of headers to {MOST_HEADERS}. Hint: To \
         remove an already defined header set its value to `null`"
    );
    ResponseError::new(Code::InvalidWebhookHeaders, message)
}

/// Fields that webhooks have and nobody can change get an error of their own.
fn refuse_field(field: &str, accepted: &[&str], location: ValuePointerRef<'_>) -> JsonRefusal {
    let code = match field {
        "uuid" => Code::ImmutableWebhookUuid,
        "isEditable" => Code::ImmutableWebhookIsEditable,
        _ => {
            let kind = ErrorKind::UnknownKey { key: field, accepted };
            return take_cf_content(JsonRefusal::error::<Infallible>(None, kind, location));
        }
    };
    immutable_field(field, accepted, code)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(body: &serde_json::Value) -> Result<WebhookChange, ResponseError> {
        WebhookChange::from_json(body.to_string().as_bytes())
    }

    fn refusal(body: &serde_json::Value) -> String {
        let created = change(body).and_then(|change| change.create(Uuid::nil(), 0));
        created.expect_err("refused").message().to_owned()
    }

    #[test]
    fn addresses_and_headers_are_checked() {
        assert_eq!(
            refusal(&json!({ "url": "not a url" })),
            "Invalid URL `not a url`: relative URL without a base"
        );
        assert!(refusal(&json!({ "headers": {} })).starts_with("The URL for the webhook"));
        let bad = json!({ "url": "http://a", "headers": { "a b": "c" } });
        assert!(refusal(&bad).starts_with("Invalid header name `a b`"));
        assert!(refusal(&json!({ "uuid": "x" })).contains("Immutable field `uuid`"));
        let full = change(&json!({ "url": "http://a" })).expect("good").create(Uuid::nil(), MOST);
        assert_eq!(full.expect_err("too many").code(), Some(Code::InvalidWebhooks));
    }

    #[test]
    fn a_change_sets_and_takes_away_headers() {
        let headers = [("a", "1"), ("b", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let webhook = Webhook { url: "http://a".to_owned(), headers: headers.into() };
        let changed = change(&json!({ "headers": { "a": null, "c": "3" } })).expect("good");
        let changed = changed.apply(Uuid::nil(), webhook).expect("good");
        assert_eq!(changed.headers.into_keys().collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn what_authorizes_is_hidden() {
        let headers = [("AUTHORIZATION", "Bearer 123456789012345678901234567890"), ("x", "y")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let view = Webhook { url: "http://a".to_owned(), headers: headers.into() }.view(Uuid::nil());
        assert_eq!(view.webhook.headers["AUTHORIZATION"], "Bearer 12345XXXXXX...");
        assert_eq!((view.webhook.headers["x"].as_str(), view.is_editable), ("y", false));
    }
}
