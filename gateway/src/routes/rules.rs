//! Requests about dynamic search rules.

use miroir_protocol::operation::{Matched, Operation};

use super::call::{Call, Served};
use crate::instance::rules;

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let uid = operation.name();
    let body = match operation.operation() {
        Operation::ListRules | Operation::UpdateRule => call.json().await?,
        _ => call.bytes().await?,
    };
    Ok(match operation.operation() {
        Operation::ListRules => rules::list(&call.gateway, &body).await?,
        Operation::GetRule => rules::show(&call.gateway, &uid)?,
        Operation::UpdateRule => rules::update(call.writing(&body)?, &uid, &body).await?,
        Operation::DeleteRule => rules::delete(call.writing(&body)?, &uid).await?,
        Operation::DeleteRules => rules::clear(call.writing(&body)?).await?,
        _ => return call.not_served().await,
    })
}
