//! Requests about API keys.

use http::StatusCode;
use miroir_protocol::{
    keys::{CreateKey, UpdateKey, key_page_from_query_string},
    operation::{Matched, Operation},
};
use time::OffsetDateTime;

use super::call::{Call, Served};
use crate::answer::{empty, json};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let name = operation.name();
    match operation.operation() {
        Operation::ListKeys => {
            let page = key_page_from_query_string(call.query())?;
            Ok(json(StatusCode::OK, &page.of(call.gateway.keys.list().into_iter())))
        }
        Operation::GetKey => Ok(json(StatusCode::OK, &call.gateway.keys.get(&name)?)),
        Operation::CreateKey => {
            let body = call.json().await?;
            let asked = CreateKey::from_json(&body, OffsetDateTime::now_utc())?;
            Ok(json(StatusCode::CREATED, &call.gateway.keys.create(asked).await?))
        }
        Operation::UpdateKey => {
            let body = call.json().await?;
            let change = UpdateKey::from_json(&body)?;
            Ok(json(StatusCode::OK, &call.gateway.keys.update(&name, change).await?))
        }
        Operation::DeleteKey => {
            call.bytes().await?;
            call.gateway.keys.delete(&name).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => call.not_served().await,
    }
}
