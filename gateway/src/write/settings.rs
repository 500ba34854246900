//! Settings: shown from the catalog, changed through the log.

use bytes::Bytes;
use http::StatusCode;
use miroir_log::{IndexRecord, Operation};
use miroir_protocol::{
    documents::ChangeDocuments,
    error::{Code, ResponseError},
    index_uid::IndexUid,
    settings::{SettingName, Settings},
};
use miroir_replicate::templates::is_beyond_nodes;
use miroir_shard::INTERNAL_FIELD;
use serde_json::Value;

use super::enqueue::Writing;
use crate::{
    answer::{Answer, json},
    read::reserved::guarded_filter,
    state::Gateway,
};

/// Settings by which documents are ordered or grouped: what they name shows in score details and in what is found.
const ORDERING: [&str; 3] = ["rankingRules", "sortableAttributes", "distinctAttribute"];

/// `GET /indexes/{uid}/settings`.
pub(crate) fn show_all(gateway: &Gateway, index: &IndexRecord) -> Answer {
    Ok(json(StatusCode::OK, &logical(index)?.view_with(&gateway.features.now())))
}

/// `GET /indexes/{uid}/settings/{name}`.
pub(crate) fn show(index: &IndexRecord, name: SettingName) -> Answer {
    Ok(json(StatusCode::OK, &logical(index)?.view_of(name)))
}

/// `PATCH /indexes/{uid}/settings`.
pub(crate) async fn update_all(write: Writing<'_>, uid: &str, body: &Bytes) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let metadata = ChangeDocuments::from_query_string(write.query)?.custom_metadata;
    let settings = Settings::parse(None, body, &write.gateway.features.now())?;
    change(write, &index, &settings, false, metadata).await
}

/// `PUT` or `PATCH /indexes/{uid}/settings/{name}`.
pub(crate) async fn update(write: Writing<'_>, uid: &str, name: SettingName, body: &Bytes) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let metadata = ChangeDocuments::from_query_string(write.query)?.custom_metadata;
    let settings = Settings::parse(Some(name), body, &write.gateway.features.now())?;
    change(write, &index, &settings, false, metadata).await
}

/// `DELETE /indexes/{uid}/settings`.
pub(crate) async fn reset_all(write: Writing<'_>, uid: &str) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let metadata = ChangeDocuments::from_query_string(write.query)?.custom_metadata;
    change(write, &index, &Settings::reset_all(), true, metadata).await
}

/// `DELETE /indexes/{uid}/settings/{name}`.
pub(crate) async fn reset(write: Writing<'_>, uid: &str, name: SettingName) -> Answer {
    let index = IndexUid::from_path(uid)?;
    let metadata = ChangeDocuments::from_query_string(write.query)?.custom_metadata;
    change(write, &index, &Settings::reset(name), true, metadata).await
}

async fn change(
    write: Writing<'_>,
    index: &IndexUid,
    settings: &Settings,
    is_deletion: bool,
    metadata: Option<String>,
) -> Answer {
    let settings = settings.to_value();
    check(&settings)?;
    let operation = Operation::SettingsUpdate {
        settings,
        is_deletion,
        allow_index_creation: !is_deletion && write.access.may_create(index.as_str()),
    };
    write.enqueue(index, operation, metadata).await
}

/// Refuses what would show the internal field, and what nodes would die of each time they are sent it.
fn check(settings: &Value) -> Result<(), ResponseError> {
    if ORDERING.into_iter().any(|name| guarded_filter(&settings[name]) != settings[name]) {
        let message = format!(
            "The field `{INTERNAL_FIELD}` is reserved for internal use: documents cannot be ordered by it."
        );
        return Err(ResponseError::new(Code::MiroirReservedField, message));
    }
    let sections = [("embedders", Code::InvalidSettingsEmbedders), ("chat", Code::InvalidSettingsIndexChat)];
    for (section, code) in sections {
        if holds_template_beyond_nodes(&settings[section]) {
            let message = format!("Invalid value at `.{section}`: a `documentTemplate` has too many tags.");
            return Err(ResponseError::new(code, message));
        }
    }
    Ok(())
}

/// Embedders have templates one level deep, or two levels where they are composed of others.
fn holds_template_beyond_nodes(settings: &Value) -> bool {
    let Value::Object(members) = settings else { return false };
    members.iter().any(|(name, value)| match value {
        Value::String(text) => name == "documentTemplate" && is_beyond_nodes(text),
        other => holds_template_beyond_nodes(other),
    })
}

fn logical(index: &IndexRecord) -> Result<Settings, ResponseError> {
    Settings::from_value(index.settings.clone()).map_err(|error| {
        tracing::error!(%error, index = index.uid, "settings in the catalog cannot be read");
        ResponseError::new(Code::Internal, "The settings of this index cannot be read.")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(settings: &Value) -> Option<Code> {
        check(settings).err().and_then(|error| error.code())
    }

    #[test]
    fn nothing_is_ordered_by_the_internal_field() {
        for settings in [
            json!({ "rankingRules": ["words", "_miroir.s:asc"] }),
            json!({ "sortableAttributes": ["year", "_miroir"] }),
            json!({ "distinctAttribute": "_miroir.s" }),
        ] {
            assert_eq!(refusal(&settings), Some(Code::MiroirReservedField), "{settings}");
        }
        let others = json!({
            "rankingRules": ["words", "_miroirs:asc"], "sortableAttributes": null, "distinctAttribute": "a",
        });
        assert_eq!(refusal(&others), None);
    }

    #[test]
    fn templates_that_nodes_die_of_are_refused() {
        let deep = format!("{}{}", "{% if doc %}".repeat(1_000), "{% endif %}".repeat(1_000));
        let embedder = json!({ "embedders": { "e": { "source": "ollama", "documentTemplate": deep } } });
        assert_eq!(refusal(&embedder), Some(Code::InvalidSettingsEmbedders));
        let half = json!({ "embedders": { "e": { "indexingEmbedder": { "documentTemplate": deep } } } });
        assert_eq!(refusal(&half), Some(Code::InvalidSettingsEmbedders));
        let chat = json!({ "chat": { "documentTemplate": deep } });
        assert_eq!(refusal(&chat), Some(Code::InvalidSettingsIndexChat));
        let usual = json!({ "chat": { "documentTemplate": "{{ doc.title }}" }, "embedders": { "e": null } });
        assert_eq!(refusal(&usual), None);
    }
}
