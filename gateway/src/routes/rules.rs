//! Requests about dynamic search rules.

use miroir_protocol::{
    features::DYNAMIC_SEARCH_RULES,
    operation::{Matched, Operation},
};

use super::call::{Call, Served};
use crate::instance::not_supported;

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let doing = match operation.operation() {
        Operation::ListRules => "Calling the `POST /dynamic-search-rules` route",
        Operation::GetRule => "Calling the `GET /dynamic-search-rules/{:ruleUid}` route",
        _ => "Using the `/dynamic-search-rules` routes",
    };
    match operation.operation() {
        Operation::ListRules | Operation::UpdateRule => call.json().await?,
        _ => call.bytes().await?,
    };
    if !call.gateway.features.now().dynamic_search_rules {
        return Err(DYNAMIC_SEARCH_RULES.needed_for(doing).into());
    }
    let message = "Dynamic search rules are not served: a rule pins documents at places among the hits of one server, \
                   and each node has hits of its own.";
    Err(not_supported(message).into())
}
