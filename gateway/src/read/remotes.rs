//! The servers that clients have written down as a network. There is one server for them, this one, so that a search may name
//! it, and no other.

use miroir_log::RecordKind;
use miroir_protocol::{
    error::{Code, ResponseError},
    features,
    network::Network,
    search::IndexQuery,
};

use crate::{instance::not_supported, state::Gateway, write::log_error};

/// The one record of its kind.
pub(crate) const RECORD: &str = "network";

/// What clients have written down of a network.
pub(crate) async fn kept(gateway: &Gateway) -> Result<Network, ResponseError> {
    let record = gateway.log.record(RecordKind::Network, RECORD).await.map_err(|error| log_error(&error))?;
    record.map_or(Ok(Network::default()), |record| {
        serde_json::from_value(record).map_err(|error| unreadable(&error))
    })
}

/// The network, where a query names a server of it.
pub(super) async fn named_in(
    gateway: &Gateway,
    queries: &[IndexQuery],
) -> Result<Option<Network>, ResponseError> {
    let names =
        |query: &IndexQuery| query.federation_options.as_ref().is_some_and(|own| own.remote.is_some());
    if queries.iter().any(names) { kept(gateway).await.map(Some) } else { Ok(None) }
}

/// Whether a query may ask the server of that name: only this one may be asked.
pub(super) fn check(gateway: &Gateway, remote: &str, network: &Network) -> Result<(), ResponseError> {
    if !gateway.features.now().network {
        return Err(features::NETWORK.needed_for("Performing a remote federated search"));
    }
    if network.local.as_deref() == Some(remote) {
        return Ok(());
    }
    if network.remotes.contains_key(remote) {
        return Err(not_supported(format!("Other servers are not searched, as `{remote}` is.")));
    }
    let message = format!("Invalid `.federation_options.remote`: remote `{remote}` is not registered");
    Err(ResponseError::new(Code::InvalidMultiSearchRemote, message))
}

pub(crate) fn unreadable(error: &serde_json::Error) -> ResponseError {
    tracing::error!(%error, "kept network cannot be read");
    ResponseError::new(Code::Internal, "The network cannot be read.")
}
