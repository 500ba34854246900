//! Requests about documents.

use miroir_log::Method;
use miroir_protocol::{
    documents::{BrowseQuery, GetDocument},
    operation::{Matched, Operation},
};

use super::call::{Call, Served};
use crate::{read, write};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let (uid, id) = (operation.name(), operation.second_name());
    Ok(match operation.operation() {
        Operation::AddDocuments => add(&uid, Method::Replace, call).await?,
        Operation::UpdateDocuments => add(&uid, Method::Update, call).await?,
        Operation::ListDocuments => {
            let index = call.gateway.known_index(&uid)?;
            let query = BrowseQuery::from_query_string(call.query())?;
            read::documents::browse(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::FetchDocuments => {
            let body = call.json().await?;
            let index = call.gateway.known_index(&uid)?;
            let query = BrowseQuery::from_json(&body)?;
            read::documents::browse(&call.gateway, &*index.found()?, &query, call.terms()).await?
        }
        Operation::GetDocument => {
            let index = call.gateway.known_index(&uid)?;
            let query = GetDocument::from_query_string(call.query())?;
            read::documents::get(&call.gateway, &*index.found()?, &id, &query, call.terms()).await?
        }
        Operation::DeleteDocuments => {
            call.bytes().await?;
            write::documents::delete_all(&call.gateway, &uid, call.query()).await?
        }
        Operation::DeleteDocument => {
            call.bytes().await?;
            write::documents::delete_one(&call.gateway, &uid, &id, call.query()).await?
        }
        Operation::DeleteBatch => {
            let body = call.json().await?;
            write::documents::delete_batch(&call.gateway, &uid, call.query(), &body).await?
        }
        Operation::DeleteByFilter => {
            let body = call.json().await?;
            write::documents::delete_by_filter(&call.gateway, &uid, call.query(), &body).await?
        }
        _ => return call.not_served().await,
    })
}

async fn add(uid: &str, method: Method, call: Call) -> Served {
    let (gateway, parts, body) = call.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    Ok(write::documents::add(&gateway, uid, query, method, &parts.headers, body).await??)
}
