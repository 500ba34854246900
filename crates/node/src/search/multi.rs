//! Several searches in one request.

use miroir_protocol::IndexUid;
use miroir_protocol::error::ResponseError;
use miroir_protocol::features::NETWORK;
use miroir_protocol::search::{IndexQuery, MultiSearch, SearchQuery, inside_query};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::federated::federated_search;
use super::run::search;
use crate::error::EngineError;
use crate::features::Features;
use crate::state::State;

/// Answers a multi-search; `for_merge` to somebody who merges the answers of several nodes.
pub(crate) fn multi_search(
    state: &State,
    request: MultiSearch,
    for_merge: bool,
) -> Result<Value, EngineError> {
    request.check()?;
    if for_merge && !state.features.read().network {
        return Err(NETWORK.needed_for("Performing a remote federated search").into());
    }
    if let Some(federation) = &request.federation {
        return federated_search(state, request.queries, federation, for_merge);
    }
    let features = *state.features.read();
    let request_uid = Uuid::now_v7();
    let queries = request.queries.into_iter().map(IndexQuery::into_search).enumerate();
    let answers = queries.map(|(position, (uid, query, _))| {
        let answer = one_search(state, &uid, &query, &features, request_uid);
        answer.map_err(|error| EngineError::from(inside(position, error)))
    });
    Ok(json!({ "results": answers.collect::<Result<Vec<_>, _>>()? }))
}

fn one_search(
    state: &State,
    uid: &IndexUid,
    query: &SearchQuery,
    features: &Features,
    request_uid: Uuid,
) -> Result<Value, EngineError> {
    let open = state.indexes.get(uid)?;
    let mut answer = Map::from_iter([("indexUid".to_owned(), json!(open.uid))]);
    answer.extend(search(&open, query, features, request_uid)?);
    Ok(answer.into())
}

/// The error of one query. An index that is not there is not what the path names: the request is bad.
pub(super) fn inside(position: usize, error: EngineError) -> ResponseError {
    let is_unknown_index = matches!(error, EngineError::IndexNotFound(_));
    let error = inside_query(position, error.into_response());
    match is_unknown_index {
        true => error.with_status(http::StatusCode::BAD_REQUEST),
        false => error,
    }
}
