//! Requests about webhooks.

use http::StatusCode;
use miroir_protocol::{
    operation::{Matched, Operation},
    webhooks::{WebhookChange, uuid_from_path},
};
use serde_json::json;

use super::call::{Call, Served};
use crate::answer::{empty, json as answer};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let uuid = || uuid_from_path(&operation.name());
    Ok(match operation.operation() {
        Operation::ListWebhooks => {
            answer(StatusCode::OK, &json!({ "results": call.gateway.webhooks.list() }))
        }
        Operation::GetWebhook => answer(StatusCode::OK, &call.gateway.webhooks.get(uuid()?)?),
        Operation::CreateWebhook => {
            let change = WebhookChange::from_json(&call.json().await?)?;
            answer(StatusCode::CREATED, &call.gateway.webhooks.create(change).await?)
        }
        Operation::UpdateWebhook => {
            let change = WebhookChange::from_json(&call.json().await?)?;
            answer(StatusCode::OK, &call.gateway.webhooks.update(uuid()?, change).await?)
        }
        Operation::DeleteWebhook => {
            call.bytes().await?;
            call.gateway.webhooks.delete(uuid()?).await?;
            empty(StatusCode::NO_CONTENT)
        }
        _ => return call.not_served().await,
    })
}
