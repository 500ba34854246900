//! `POST /export`: indexes to another server, without what is internal.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, StatusCode};
use miroir_log::{Export, ExportIndex, IndexRecord, Operation};
use miroir_protocol::{
    error::{Code, ResponseError},
    export::ExportRequest,
    keys::IndexUidPattern,
    settings::Settings,
};
use serde_json::{Map, Value, json};

use crate::{
    answer::{Answer, json as answer_json},
    read::content::Content,
    state::Gateway,
    transfer::{
        TransferError,
        remote::{Remote, Waiting},
    },
    write::Writing,
};

/// What goes into one request where nobody says, in bytes.
const PAYLOAD: u64 = 20 << 20;
/// What goes into one request at the most: it is held in memory, and servers take no more unless they are told to.
const LARGEST_PAYLOAD: u64 = 100 << 20;

/// `POST /export`. Meilisearch answers 200, not 202.
pub(crate) async fn enqueue(write: Writing<'_>, body: &Bytes) -> Answer {
    let request = ExportRequest::from_json(body)?;
    let payload_size = request.payload_bytes()?;
    let indexes = match request.indexes {
        Some(indexes) => indexes
            .into_iter()
            .map(|(pattern, index)| {
                let index = ExportIndex { filter: index.filter, override_settings: index.override_settings };
                (pattern, index)
            })
            .collect(),
        None => BTreeMap::from([("*".to_owned(), ExportIndex::default())]),
    };
    let export = Export { url: request.url, api_key: request.api_key, payload_size, indexes };
    let view = write.enqueue_global(Operation::Export(export)).await?;
    Ok(answer_json(StatusCode::OK, &view))
}

/// Sends the indexes; the details of the task, with how many documents each was.
pub(crate) async fn export(gateway: &Gateway, wanted: &Export) -> Result<Value, ResponseError> {
    let target = Remote::new(&wanted.url, wanted.api_key.clone(), None).map_err(|error| failed(&error))?;
    let payload = wanted.payload_size.unwrap_or(PAYLOAD).min(LARGEST_PAYLOAD);
    let catalog = gateway.log.catalog();
    let mut exported = Map::new();
    for (uid, index) in &catalog.indexes {
        let matches = |pattern: &&String| {
            IndexUidPattern::try_from((*pattern).clone()).is_ok_and(|pattern| pattern.matches(uid))
        };
        let Some(pattern) = wanted.indexes.keys().find(matches) else { continue };
        let options = &wanted.indexes[pattern];
        let documents = one(gateway, &target, index, options, payload).await?;
        let mut details =
            json!({ "overrideSettings": options.override_settings, "matchedDocuments": documents });
        details["filter"] = options.filter.clone().unwrap_or_default();
        exported.insert(uid.clone(), details);
    }
    let mut details = wanted.details();
    details["indexes"] = exported.into();
    Ok(details)
}

async fn one(
    gateway: &Gateway,
    target: &Remote,
    index: &IndexRecord,
    options: &ExportIndex,
    payload: u64,
) -> Result<u64, ResponseError> {
    let uid = &index.uid;
    let refused = |error: TransferError| failed(&error);
    let is_there = target.find(&format!("/indexes/{uid}")).await.map_err(refused)?.is_some();
    target.ensure_index(uid, &json!(index.primary_key)).await.map_err(refused)?;
    if !is_there || options.override_settings {
        let settings = Settings::from_value(index.settings.clone()).unwrap_or_default().to_value();
        let path = format!("/indexes/{uid}/settings");
        target.write(Method::PATCH, &path, Some(&settings)).await.map_err(refused)?;
    }
    let mut content = Content::of(gateway, index, options.filter.as_ref())?;
    let (mut waiting, mut chunk, mut documents) = (Waiting::default(), Vec::new(), 0);
    while let Some(lines) = content.next().await? {
        documents += lines.documents;
        for line in lines.bytes.split_inclusive(|byte| *byte == b'\n') {
            if !chunk.is_empty() && (chunk.len() + line.len()) as u64 > payload {
                let full = std::mem::take(&mut chunk);
                target.documents(uid, full.into(), &mut waiting).await.map_err(refused)?;
            }
            chunk.extend_from_slice(line);
        }
    }
    if !chunk.is_empty() {
        target.documents(uid, chunk.into(), &mut waiting).await.map_err(refused)?;
    }
    target.settle(&mut waiting).await.map_err(refused)?;
    Ok(documents)
}

fn failed(error: &TransferError) -> ResponseError {
    ResponseError::new(Code::RemoteCouldNotSendRequest, format!("The export cannot go on: {error}."))
}
