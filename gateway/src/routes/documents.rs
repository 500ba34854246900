//! Requests about documents.

use miroir_log::Method;
use miroir_protocol::{
    content_type::require_json,
    documents::{BrowseQuery, GetDocument},
    features::EDIT_DOCUMENTS,
    operation::{Matched, Operation},
};

use super::call::{Call, Served};
use crate::{instance::features::check, intake::content_type, read, write};

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
            let body = call.bytes().await?;
            write::documents::delete_all(call.writing(&body)?, &uid).await?
        }
        Operation::DeleteDocument => {
            let body = call.bytes().await?;
            write::documents::delete_one(call.writing(&body)?, &uid, &id).await?
        }
        Operation::DeleteBatch => {
            let body = call.json().await?;
            write::documents::delete_batch(call.writing(&body)?, &uid, &body).await?
        }
        Operation::DeleteByFilter => {
            let body = call.json().await?;
            write::documents::delete_by_filter(call.writing(&body)?, &uid, &body).await?
        }
        Operation::EditDocuments => {
            let body = call.bytes().await?;
            check(&call.gateway, EDIT_DOCUMENTS, "Using the documents edit route")?;
            require_json(content_type(call.headers()))?;
            write::documents::edit(call.writing(&body)?, &uid, &body).await?
        }
        _ => return call.not_served().await,
    })
}

async fn add(uid: &str, method: Method, call: Call) -> Served {
    let (gateway, parts, body) = call.into_parts();
    Ok(write::documents::add(&gateway, uid, method, &parts, body).await??)
}
