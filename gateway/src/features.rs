//! Whether clients have an experimental feature turned on.

use miroir_log::RecordKind;
use miroir_protocol::{
    error::ResponseError,
    features::{EDIT_DOCUMENTS, Feature, Features, TASK_DOCUMENTS},
};

use crate::{state::Gateway, write::log_error};

/// The name of the one record that holds all of them.
const RECORD: &str = "features";

/// Refuses what a feature has to be on for.
pub(crate) async fn check(gateway: &Gateway, feature: Feature, doing: &str) -> Result<(), ResponseError> {
    let stored = gateway.log.record(RecordKind::Feature, RECORD).await.map_err(|error| log_error(&error))?;
    let features: Features = stored.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    let is_on = match feature {
        EDIT_DOCUMENTS => features.edit_documents_by_function,
        TASK_DOCUMENTS => features.get_task_documents_route,
        _ => features.task_queue_compaction_route,
    };
    if is_on { Ok(()) } else { Err(feature.needed_for(doing)) }
}
