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

use super::enqueue::Writing;
use crate::{
    answer::{Answer, json},
    state::Gateway,
};

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
    let operation = Operation::SettingsUpdate {
        settings: settings.to_value(),
        is_deletion,
        allow_index_creation: !is_deletion && write.access.may_create(index.as_str()),
    };
    write.enqueue(index, operation, metadata).await
}

fn logical(index: &IndexRecord) -> Result<Settings, ResponseError> {
    Settings::from_value(index.settings.clone()).map_err(|error| {
        tracing::error!(%error, index = index.uid, "settings in the catalog cannot be read");
        ResponseError::new(Code::Internal, "The settings of this index cannot be read.")
    })
}
