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
    let (gateway, query) = (&call.gateway, call.query());
    Ok(match (operation.operation(), operation.setting()) {
        (Operation::GetSetting, Some(name)) => settings::show(&*gateway.index(&uid)?, name),
        (Operation::ResetSetting, Some(name)) => settings::reset(gateway, &uid, name, query).await,
        (_, Some(name)) => settings::update(gateway, &uid, name, query, &body).await,
        (Operation::UpdateSettings, _) => settings::update_all(gateway, &uid, query, &body).await,
        (Operation::ResetSettings, _) => settings::reset_all(gateway, &uid, query).await,
        _ => settings::show_all(&*gateway.index(&uid)?),
    }?)
}
