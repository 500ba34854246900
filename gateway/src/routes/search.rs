//! Searches.

use miroir_protocol::{
    operation::{Matched, Operation},
    search::{FacetSearchQuery, MultiSearch, SearchQuery, SimilarQuery},
};

use super::call::{Call, Served};
use crate::read;

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let uid = operation.name();
    Ok(match operation.operation() {
        Operation::Search => {
            let body = call.json().await?;
            let index = call.gateway.known_index(&uid)?;
            let query = SearchQuery::from_json(&body)?;
            read::search::search(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::SearchByUrl => {
            let index = call.gateway.known_index(&uid)?;
            let query = SearchQuery::from_query_string(call.query())?;
            read::search::search(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::FacetSearch => {
            let body = call.json().await?;
            let index = call.gateway.known_index(&uid)?;
            let query = FacetSearchQuery::from_json(&body)?;
            read::facet_search::facet_search(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::Similar => {
            let body = call.json().await?;
            let index = call.gateway.known_index(&uid)?;
            let query = SimilarQuery::from_json(&body)?;
            read::similar::similar(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::SimilarByUrl => {
            let index = call.gateway.known_index(&uid)?;
            let query = SimilarQuery::from_query_string(call.query())?;
            read::similar::similar(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::MultiSearch => {
            let body = call.json().await?;
            let searches = MultiSearch::from_json(&body)?;
            read::multi_search::multi_search(&call.gateway, searches, call.terms()).await?
        }
        _ => return call.not_served().await,
    })
}
