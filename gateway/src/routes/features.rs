//! Requests about experimental features.

use miroir_protocol::operation::{Matched, Operation};

use super::call::{Call, Served};
use crate::instance::features;

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    Ok(match operation.operation() {
        Operation::UpdateFeatures => {
            let body = call.json().await?;
            features::change(&call.gateway, &body).await?
        }
        _ => features::show(&call.gateway)?,
    })
}
