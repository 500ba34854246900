//! Requests about the network of servers. To clients there is one server: what they write down of a network is kept and
//! shown, as by a server of the Community Edition, and changes nothing of the fleet.

use http::StatusCode;
use miroir_log::RecordKind;
use miroir_protocol::{
    error::{Code, ResponseError},
    features::NETWORK,
    network::{Network, NetworkUpdate},
    operation::{Matched, Operation},
    parse,
};

use super::call::{Call, Served};
use crate::{
    answer::json,
    read::remotes::{self, kept, unreadable},
    state::Gateway,
    write::log_error,
};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    match operation.operation() {
        Operation::UpdateNetwork => {
            let body = call.json().await?;
            let update = NetworkUpdate::from_json(&body)?;
            check(&call.gateway, "Using the /network route")?;
            Ok(json(StatusCode::OK, &change(&call.gateway, update).await?))
        }
        Operation::ControlNetwork => {
            parse::json_value(&call.json().await?)?;
            check(&call.gateway, "Using the /network/control route")?;
            let message = "Meilisearch Enterprise Edition is required to call this route";
            Err(ResponseError::new(Code::RequiresEnterpriseEdition, message).into())
        }
        _ => {
            check(&call.gateway, "Using the /network route")?;
            Ok(json(StatusCode::OK, &kept(&call.gateway).await?))
        }
    }
}

fn check(gateway: &Gateway, doing: &str) -> Result<(), ResponseError> {
    if gateway.features.now().network { Ok(()) } else { Err(NETWORK.needed_for(doing)) }
}

async fn change(gateway: &Gateway, update: NetworkUpdate) -> Result<Network, ResponseError> {
    let changed = kept(gateway).await?.changed(update)?;
    let record = serde_json::to_value(&changed).map_err(|error| unreadable(&error))?;
    let put = gateway.log.put_record(RecordKind::Network, remotes::RECORD, record).await;
    put.map_err(|error| log_error(&error))?;
    Ok(changed)
}
