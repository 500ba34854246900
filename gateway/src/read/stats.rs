//! Statistics: the nodes' numbers added up, over one copy of everything.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{StatusCode, Uri};
use miroir_log::IndexRecord;
use miroir_nodes::{Call, NodeRequest, fan_out};
use miroir_protocol::{
    error::{Code, ResponseError},
    index_uid::IndexUid,
    tasks::{TaskFilter, TaskStatus, TasksQuery},
};
use miroir_shard::is_internal;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;

use super::scatter::{Sorted, Terms, sort, too_late};
use crate::{
    answer::{Answer, json},
    state::Gateway,
};

/// `GET /indexes/{uid}/stats` of a node, and of the gateway.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct IndexStats {
    number_of_documents: u64,
    raw_document_db_size: u64,
    avg_document_size: u64,
    is_indexing: bool,
    number_of_embeddings: u64,
    number_of_embedded_documents: u64,
    field_distribution: BTreeMap<String, u64>,
}

/// `GET /stats` of a node.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stats {
    database_size: u64,
    used_database_size: u64,
    indexes: BTreeMap<String, IndexStats>,
}

/// Answers the statistics of one index.
pub(crate) async fn of_index(gateway: &Gateway, index: &IndexRecord, terms: Terms) -> Answer {
    let path: Uri = format!("/indexes/{}/stats", index.uid).parse().map_err(|_| no_stats())?;
    let (parts, copies): (Vec<IndexStats>, _) = collect(gateway, &path, terms).await?;
    let mut sum = IndexStats::sum(parts, copies);
    sum.is_indexing = is_indexing(gateway, &index.uid).await;
    Ok(json(StatusCode::OK, &sum))
}

/// Answers the statistics of everything.
pub(crate) async fn of_instance(gateway: &Gateway, terms: Terms) -> Answer {
    let (parts, copies): (Vec<Stats>, _) = collect(gateway, &Uri::from_static("/stats"), terms).await?;
    let catalog = gateway.log.catalog();
    let mut indexes = BTreeMap::new();
    for uid in catalog.indexes.keys() {
        let of_nodes = parts.iter().filter_map(|part| part.indexes.get(uid).cloned());
        let mut sum = IndexStats::sum(of_nodes.collect(), copies);
        sum.is_indexing = is_indexing(gateway, uid).await;
        indexes.insert(uid.clone(), sum);
    }
    let last_update: Option<OffsetDateTime> = catalog.indexes.values().map(|index| index.updated_at).max();
    Ok(json(
        StatusCode::OK,
        &json!({
            "databaseSize": parts.iter().map(|part| part.database_size).sum::<u64>(),
            "usedDatabaseSize": parts.iter().map(|part| part.used_database_size).sum::<u64>(),
            "lastUpdate": last_update.and_then(|at| at.format(&Rfc3339).ok()),
            "indexes": indexes,
        }),
    ))
}

/// Asks the nodes of one group, the first whose nodes all answer, which hold everything as often as the second value
/// says.
async fn collect<T: for<'de> Deserialize<'de>>(
    gateway: &Gateway,
    path: &Uri,
    terms: Terms,
) -> Result<(Vec<T>, u64), ResponseError> {
    let topology = gateway.topology.load();
    for (number, group) in topology.map.groups().iter().enumerate() {
        let members = topology.map.nodes().iter().filter(|node| usize::from(node.group) == number);
        let clients = members.filter_map(|node| topology.fleet.get(&node.name));
        let request = NodeRequest::get(path.clone());
        let calls: Vec<Call> =
            clients.map(|node| Call { node: node.clone(), request: request.clone() }).collect();
        let left = terms.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(too_late());
        }
        let mut answers = Vec::new();
        for outcome in fan_out(&calls, left).await {
            match sort(outcome) {
                Sorted::Answer(body) => answers.push(read(&body)?),
                Sorted::Refused(error) => return Err(error),
                Sorted::Failed(_) => {}
            }
        }
        if answers.len() == calls.len() {
            return Ok((answers, u64::from(group.replicas.max(1))));
        }
    }
    Err(ResponseError::new(
        Code::MiroirShardUnavailable,
        "No group of nodes can be asked for its statistics now.",
    ))
}

fn read<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, ResponseError> {
    serde_json::from_slice(body).map_err(|error| {
        tracing::error!(%error, "a node's statistics cannot be read");
        no_stats()
    })
}

fn no_stats() -> ResponseError {
    ResponseError::new(Code::MiroirMergeFailed, "The nodes' statistics cannot be read.")
}

async fn is_indexing(gateway: &Gateway, uid: &str) -> bool {
    let Ok(uid) = IndexUid::from_path(uid) else { return false };
    let statuses = Some(vec![TaskStatus::Processing]);
    let filter = TaskFilter { statuses, index_uids: Some(vec![uid]), ..TaskFilter::default() };
    let query = TasksQuery { limit: 1, filter, ..TasksQuery::default() };
    gateway.log.tasks(&query).await.is_ok_and(|page| page.total > 0)
}

impl IndexStats {
    /// The sum over nodes that hold every document `copies` times.
    fn sum(parts: Vec<Self>, copies: u64) -> Self {
        let mut sum = Self::default();
        for part in parts {
            sum.number_of_documents += part.number_of_documents;
            sum.raw_document_db_size += part.raw_document_db_size;
            sum.number_of_embeddings += part.number_of_embeddings;
            sum.number_of_embedded_documents += part.number_of_embedded_documents;
            for (field, count) in part.field_distribution {
                if !is_internal(&field) {
                    *sum.field_distribution.entry(field).or_default() += count;
                }
            }
        }
        let counts = [
            &mut sum.number_of_documents,
            &mut sum.raw_document_db_size,
            &mut sum.number_of_embeddings,
            &mut sum.number_of_embedded_documents,
        ];
        counts.into_iter().chain(sum.field_distribution.values_mut()).for_each(|count| *count /= copies);
        sum.avg_document_size = sum.raw_document_db_size.checked_div(sum.number_of_documents).unwrap_or(0);
        sum
    }
}
