//! Requests about indexes.

use http::StatusCode;
use miroir_log::IndexRecord;
use miroir_protocol::{
    error::ResponseError,
    indexes::{IndexView, Page},
    operation::{Matched, Operation},
    stats::StatsQuery,
};

use super::call::{Call, Served};
use crate::{answer::json, read, write};

pub(super) async fn serve(operation: Matched<'_>, mut call: Call) -> Served {
    let uid = operation.name();
    Ok(match operation.operation() {
        Operation::ListIndexes => list(&call)?,
        Operation::GetIndex => json(StatusCode::OK, &view(&*call.gateway.index(&uid)?)),
        Operation::CreateIndex => {
            let body = call.json().await?;
            write::indexes::create(call.writing(&body)?, &body).await?
        }
        Operation::UpdateIndex => {
            let body = call.json().await?;
            write::indexes::update(call.writing(&body)?, &uid, &body).await?
        }
        Operation::DeleteIndex => {
            let body = call.bytes().await?;
            write::indexes::delete(call.writing(&body)?, &uid).await?
        }
        Operation::SwapIndexes => {
            let body = call.json().await?;
            write::indexes::swap(call.writing(&body)?, &body).await?
        }
        Operation::CompactIndex => {
            let body = call.bytes().await?;
            write::indexes::compact(call.writing(&body)?, &uid).await?
        }
        Operation::IndexStats => {
            let query = StatsQuery::from_query_string(call.query())?;
            read::stats::of_index(&call.gateway, &*call.gateway.index(&uid)?, query, call.terms()).await?
        }
        Operation::Fields => {
            let body = call.json().await?;
            // A uid that is none is only one that is not there.
            let index = call.gateway.log.catalog().indexes.get(&*uid).cloned();
            let index = index.ok_or_else(|| ResponseError::index_not_found(&uid))?;
            read::fields::fields(&call.gateway, &index, &body, call.terms()).await?
        }
        _ => return call.not_served().await,
    })
}

fn list(call: &Call) -> Served {
    let page = Page::from_query_string(call.query())?;
    let catalog = call.gateway.log.catalog();
    let access = call.access();
    let indexes = catalog.indexes.values().filter(|index| access.allows(&index.uid));
    let views: Vec<IndexView> = indexes.map(|index| view(index)).collect();
    Ok(json(StatusCode::OK, &page.of(views.into_iter())))
}

fn view(record: &IndexRecord) -> IndexView {
    IndexView {
        uid: record.uid.clone(),
        created_at: record.created_at,
        updated_at: record.updated_at,
        primary_key: record.primary_key.clone(),
    }
}
