//! Requests about settings.

use miroir_protocol::operation::{Matched, Operation};

use super::call::{Call, Served};
use crate::write::settings;

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let uid = operation.name();
    let body = match operation.operation() {
        Operation::UpdateSettings | Operation::PutSetting | Operation::PatchSetting => call.json().await?,
        _ => call.bytes().await?,
    };
    let gateway = &call.gateway;
    Ok(match (operation.operation(), operation.setting()) {
        (Operation::GetSetting, Some(name)) => settings::show(&*gateway.index(&uid)?, name),
        (Operation::ResetSetting, Some(name)) => settings::reset(call.writing(&body)?, &uid, name).await,
        (_, Some(name)) => settings::update(call.writing(&body)?, &uid, name, &body).await,
        (Operation::UpdateSettings, _) => settings::update_all(call.writing(&body)?, &uid, &body).await,
        (Operation::ResetSettings, _) => settings::reset_all(call.writing(&body)?, &uid).await,
        _ => settings::show_all(gateway, &*gateway.index(&uid)?),
    }?)
}
