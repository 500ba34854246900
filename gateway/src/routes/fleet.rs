//! Changes of the fleet, below `/_miroir/`.

use http::{Method, StatusCode};
use miroir_protocol::error::{Code, ResponseError};
use miroir_replicate::{Change, ChangeError};
use serde_json::Value;

use super::call::{Call, Served};
use crate::{
    admin,
    answer::{empty, json},
    write::log_error,
};

/// What is done with the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Say who is there.
    Nodes,
    /// Start a change, or say how far it is.
    Rebalance,
    /// Say what a change would move.
    Preview,
    /// Leave the rest undone for now.
    Pause,
    /// Go on.
    Resume,
    /// Take it back.
    Abort,
    /// Compare copies, or say what that has found.
    Verify,
}

impl Deed {
    /// What a path after `/_miroir/` is about.
    pub(super) fn of(rest: &str) -> Option<Self> {
        Some(match rest {
            "nodes" => Self::Nodes,
            "rebalance" => Self::Rebalance,
            "rebalance/plan" => Self::Preview,
            "rebalance/pause" => Self::Pause,
            "rebalance/resume" => Self::Resume,
            "rebalance/abort" => Self::Abort,
            "verify" => Self::Verify,
            _ => return None,
        })
    }
}

/// Answers a request.
pub(super) async fn serve(deed: Deed, method: &Method, mut call: Call) -> Served {
    let rebalancer = call.gateway.rebalancer.clone();
    let status = match (deed, method) {
        (Deed::Nodes, &Method::GET) => admin::nodes(&call.gateway),
        (Deed::Rebalance, &Method::GET) => rebalancer.status(),
        (Deed::Rebalance, &Method::POST) => {
            let change = change(&mut call).await?;
            rebalancer.start(&change).await.map_err(|error| refused(&error))?
        }
        (Deed::Preview, &Method::POST) => {
            let change = change(&mut call).await?;
            rebalancer.preview(&change).map_err(|error| refused(&error))?
        }
        (Deed::Pause, &Method::POST) => rebalancer.pause().await.map_err(|error| refused(&error))?,
        (Deed::Resume, &Method::POST) => rebalancer.resume().await.map_err(|error| refused(&error))?,
        (Deed::Abort, &Method::POST) => rebalancer.abort().await.map_err(|error| refused(&error))?,
        (Deed::Verify, &Method::GET) => rebalancer.verified(),
        (Deed::Verify, &Method::POST) => {
            let body: Value = serde_json::from_slice(&call.bytes().await?).unwrap_or_default();
            rebalancer.verify(body["mend"].as_bool().unwrap_or(false))
        }
        _ => return Ok(empty(StatusCode::METHOD_NOT_ALLOWED)),
    };
    Ok(json(StatusCode::OK, &status))
}

async fn change(call: &mut Call) -> Result<Change, miroir_filters::BoxError> {
    let body = call.json().await?;
    let change: Result<Change, _> =
        serde_json::from_slice::<Value>(&body).and_then(serde_json::from_value::<Change>);
    Ok(change.map_err(|error| ResponseError::new(Code::BadRequest, error.to_string()))?)
}

fn refused(error: &ChangeError) -> ResponseError {
    let status = match error {
        ChangeError::Log(error) => return log_error(error),
        ChangeError::UnderWay(_) | ChangeError::Nothing | ChangeError::NotReversible => StatusCode::CONFLICT,
        ChangeError::Unknown(_) => StatusCode::NOT_FOUND,
        ChangeError::Map(_) => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    };
    ResponseError::new(Code::BadRequest, error.to_string()).with_status(status)
}
