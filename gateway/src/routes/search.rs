//! Searches.

use miroir_filters::auth::Access;
use miroir_protocol::{
    error::ResponseError,
    operation::{Matched, Operation},
    search::{FacetSearchQuery, MultiSearch, SearchQuery, SimilarQuery, inside_query},
};

use serde_json::Value;

use super::call::{Call, Served};
use crate::read;

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let uid = operation.name();
    Ok(match operation.operation() {
        Operation::Search => {
            let body = call.json().await?;
            let index = call.gateway.known_index(&uid)?;
            let mut query = SearchQuery::from_json(&body)?;
            call.access().restrict(&uid, &mut query.filter);
            read::search::search(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::SearchByUrl => {
            let index = call.gateway.known_index(&uid)?;
            let mut query = SearchQuery::from_query_string(call.query())?;
            call.access().restrict(&uid, &mut query.filter);
            read::search::search(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::FacetSearch => {
            let body = call.json().await?;
            let index = call.gateway.known_index(&uid)?;
            let mut query = FacetSearchQuery::from_json(&body)?;
            call.access().restrict(&uid, &mut query.filter);
            read::facet_search::facet_search(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::Similar => {
            let body = call.json().await?;
            let index = call.gateway.known_index(&uid)?;
            let mut query = SimilarQuery::from_json(&body)?;
            let visible = visible(&uid, &mut query.filter, &call.access());
            let (gateway, index) = (&call.gateway, index.found()?);
            read::similar::similar(gateway, &index, &query, visible.as_ref(), call.terms()).await?
        }
        Operation::SimilarByUrl => {
            let index = call.gateway.known_index(&uid)?;
            let mut query = SimilarQuery::from_query_string(call.query())?;
            let visible = visible(&uid, &mut query.filter, &call.access());
            let (gateway, index) = (&call.gateway, index.found()?);
            read::similar::similar(gateway, &index, &query, visible.as_ref(), call.terms()).await?
        }
        Operation::MultiSearch => {
            let body = call.json().await?;
            let mut searches = MultiSearch::from_json(&body)?;
            restrict(&mut searches, &call.access())?;
            read::multi_search::multi_search(&call.gateway, searches, call.terms()).await?
        }
        _ => return call.not_served().await,
    })
}

/// The filter of the sender's token, which is added to that of the query.
fn visible(uid: &str, filter: &mut Option<Value>, access: &Access) -> Option<Value> {
    access.restrict(uid, filter);
    let mut visible = None;
    access.restrict(uid, &mut visible);
    visible
}

/// Refuses searches in indexes that the sender may not see, and adds the filters of the sender's token to the others.
fn restrict(searches: &mut MultiSearch, access: &Access) -> Result<(), ResponseError> {
    for (place, query) in searches.queries.iter_mut().enumerate() {
        if !access.allows(query.index_uid.as_str()) {
            return Err(inside_query(place, ResponseError::invalid_api_key()));
        }
        access.restrict(query.index_uid.as_str(), &mut query.filter);
    }
    Ok(())
}
