//! Keys: creating, changing, listing and showing them.

mod action;
mod expiry;
mod key;
mod pattern;
mod rules;

use std::convert::Infallible;

use deserr::{DeserializeError, Deserr, ErrorKind, ValuePointerRef, take_cf_content};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use self::expiry::Expiry;
pub use self::{
    action::Action,
    expiry::InvalidExpiry,
    key::Key,
    pattern::{IndexUidPattern, InvalidIndexUidPattern},
    rules::{IndexRules, SearchRules, both_filters},
};
use crate::{
    error::{Code, ResponseError, marker},
    indexes::Page,
    parse::{self, JsonRefusal, Param, QueryRefusal, immutable_field},
    settings::Setting,
};

/// How many keys a page has when nothing is said.
const LIMIT: usize = 20;

/// A key to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateKey {
    /// What it is for.
    pub description: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its uid, if the client chose it.
    pub uid: Option<Uuid>,
    /// What it allows.
    pub actions: Vec<Action>,
    /// In which indexes.
    pub indexes: Vec<IndexUidPattern>,
    /// Until when.
    pub expires_at: Option<OffsetDateTime>,
}

/// The body of `POST /keys`.
#[derive(Debug, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
struct CreateBody {
    #[deserr(default, error = JsonRefusal<marker::InvalidApiKeyDescription>)]
    description: Option<String>,
    #[deserr(default, error = JsonRefusal<marker::InvalidApiKeyName>)]
    name: Option<String>,
    #[deserr(
        default,
        error = JsonRefusal<marker::InvalidApiKeyUid>,
        try_from(String) = parse_uid -> uuid::Error
    )]
    uid: Option<Uuid>,
    #[deserr(
        error = JsonRefusal<marker::InvalidApiKeyActions>,
        missing_field_error = JsonRefusal::<marker::MissingApiKeyActions>::missing
    )]
    actions: Vec<Action>,
    #[deserr(
        error = JsonRefusal<marker::InvalidApiKeyIndexes>,
        missing_field_error = JsonRefusal::<marker::MissingApiKeyIndexes>::missing
    )]
    indexes: Vec<IndexUidPattern>,
    #[deserr(
        error = JsonRefusal<marker::InvalidApiKeyExpiresAt>,
        try_from(Option<String>) = Expiry::parse -> InvalidExpiry,
        missing_field_error = JsonRefusal::<marker::MissingApiKeyExpiresAt>::missing
    )]
    expires_at: Option<Expiry>,
}

/// The body of `PATCH /keys/{key}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields = refuse_field)]
pub struct UpdateKey {
    /// What it is for.
    #[deserr(default, error = JsonRefusal<marker::InvalidApiKeyDescription>)]
    pub description: Setting<String>,
    /// Its name.
    #[deserr(default, error = JsonRefusal<marker::InvalidApiKeyName>)]
    pub name: Setting<String>,
}

#[derive(Debug, Deserr)]
#[deserr(error = QueryRefusal, rename_all = camelCase, deny_unknown_fields)]
struct ListParameters {
    #[deserr(default, error = QueryRefusal<marker::InvalidApiKeyOffset>)]
    offset: Param<usize>,
    #[deserr(default = Param(LIMIT), error = QueryRefusal<marker::InvalidApiKeyLimit>)]
    limit: Param<usize>,
}

/// A key as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The key itself.
    pub key: String,
    /// Its uid.
    pub uid: Uuid,
    /// What it allows.
    pub actions: Vec<Action>,
    /// In which indexes.
    pub indexes: Vec<IndexUidPattern>,
    /// Until when.
    #[serde(with = "time::serde::rfc3339::option")]
    pub expires_at: Option<OffsetDateTime>,
    /// When it was created.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

impl CreateKey {
    /// Parses the body. The key must not have expired by `now`.
    pub fn from_json(body: &[u8], now: OffsetDateTime) -> Result<Self, ResponseError> {
        let sent: CreateBody = parse::json::<_, marker::BadRequest>(body)?;
        let expires_at = match sent.expires_at {
            Some(expiry) => Some(expiry.after(now)?),
            None => None,
        };
        let key = Self {
            description: sent.description,
            name: sent.name,
            uid: sent.uid,
            actions: sent.actions,
            indexes: sent.indexes,
            expires_at,
        };
        key.check_scope()?;
        Ok(key)
    }

    /// Refuses a key for some indexes that allows what concerns all of them.
    fn check_scope(&self) -> Result<(), ResponseError> {
        if self.indexes.is_empty() || self.indexes.iter().any(IndexUidPattern::is_all) {
            return Ok(());
        }
        let Some(action) = self.actions.iter().find(|action| action.is_global()) else { return Ok(()) };
        let name = action.name();
        let message = format!(
            "cannot create index-scoped API key with global action `\"{name}\"`\n  - Hint: remove action \
             `\"{name}\"` from the action list, or remove `indexes` to make the key global"
        );
        Err(ResponseError::new(Code::IndexScopedApiKeyWithGlobalAction, message))
    }
}

impl UpdateKey {
    /// Parses the body.
    pub fn from_json(body: &[u8]) -> Result<Self, ResponseError> {
        parse::json(body)
    }
}

/// Parses the parameters of `GET /keys`.
pub fn key_page_from_query_string(query: &str) -> Result<Page, ResponseError> {
    let sent = parse::query::<ListParameters, marker::BadRequest>(query)?;
    Ok(Page { offset: sent.offset.0, limit: sent.limit.0 })
}

impl ResponseError {
    /// No key with that uid or value.
    pub fn api_key_not_found(key: &str) -> Self {
        Self::new(Code::ApiKeyNotFound, format!("API key `{key}` not found."))
    }

    /// A key with that uid is there already.
    pub fn api_key_already_exists(uid: Uuid) -> Self {
        Self::new(
            Code::ApiKeyAlreadyExists,
            format!("`uid` field value `{uid}` is already an existing API key."),
        )
    }
}

fn parse_uid(text: String) -> Result<Option<Uuid>, uuid::Error> {
    text.parse().map(Some)
}

/// Fields that keys have and nobody can change get an error of their own.
fn refuse_field(field: &str, accepted: &[&str], location: ValuePointerRef<'_>) -> JsonRefusal {
    let code = match field {
        "uid" => Code::ImmutableApiKeyUid,
        "actions" => Code::ImmutableApiKeyActions,
        "indexes" => Code::ImmutableApiKeyIndexes,
        "expiresAt" => Code::ImmutableApiKeyExpiresAt,
        "createdAt" => Code::ImmutableApiKeyCreatedAt,
        "updatedAt" => Code::ImmutableApiKeyUpdatedAt,
        _ => {
            let kind = ErrorKind::UnknownKey { key: field, accepted };
            return take_cf_content(JsonRefusal::error::<Infallible>(None, kind, location));
        }
    };
    immutable_field(field, accepted, code)
}
