//! Requests about the network of servers: to clients, there is one server.

use http::StatusCode;
use miroir_protocol::{
    features::NETWORK,
    operation::{Matched, Operation},
};
use serde_json::json;

use super::call::{Call, Served};
use crate::{answer::json as answer_json, instance::not_supported};

/// The version of a network that nobody has set up.
const NO_VERSION: &str = "00000000-0000-0000-0000-000000000000";

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let doing = match operation.operation() {
        Operation::ControlNetwork => "Using the /network/control route",
        _ => "Using the /network route",
    };
    if operation.operation() != Operation::GetNetwork {
        call.json().await?;
    }
    if !call.gateway.features.now().network {
        return Err(NETWORK.needed_for(doing).into());
    }
    if operation.operation() == Operation::GetNetwork {
        let network =
            json!({ "self": null, "remotes": {}, "shards": {}, "leader": null, "version": NO_VERSION });
        return Ok(answer_json(StatusCode::OK, &network));
    }
    let message = "The network cannot be changed here: Miroir spreads indexes over its nodes by itself. Its operators \
                   change the fleet in its configuration.";
    Err(not_supported(message).into())
}
