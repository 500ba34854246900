//! Requests about chats.

use miroir_protocol::operation::{Matched, Operation};

use super::call::{Call, Served};
use crate::{chat, instance::chats};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let uid = operation.name();
    let body = match operation.operation() {
        Operation::UpdateChatSettings | Operation::ChatCompletions => call.json().await?,
        _ => call.bytes().await?,
    };
    let gateway = &call.gateway;
    Ok(match operation.operation() {
        Operation::ListChats => chats::list(gateway, call.query()).await,
        Operation::GetChat => chats::show(gateway, &uid).await,
        Operation::DeleteChat => chats::delete(gateway, &uid).await,
        Operation::GetChatSettings => chats::settings(gateway, &uid).await,
        Operation::UpdateChatSettings => chats::update(gateway, &uid, &body).await,
        Operation::ResetChatSettings => chats::reset(gateway, &uid).await,
        _ => chat::completions(gateway, &call.access(), &uid, &body, call.terms()).await,
    }?)
}
