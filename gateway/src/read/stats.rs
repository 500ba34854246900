//! Statistics: the nodes' numbers added up, over one copy of everything.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{StatusCode, Uri};
use miroir_filters::auth::Access;
use miroir_log::IndexRecord;
use miroir_nodes::{Call, Node, NodeRequest, fan_out};
use miroir_protocol::{
    error::{Code, ResponseError},
    index_uid::IndexUid,
    stats::StatsQuery,
    tasks::{TaskFilter, TaskStatus, TasksQuery},
};
use miroir_replicate::Topology;
use miroir_shard::is_internal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::Instant;

use super::{
    scatter::{Sorted, Terms, scatter, sort},
    sizes,
    targets::{Scope, Target, Targets},
};
use crate::{
    answer::{Answer, json},
    state::Gateway,
};

/// How long nodes are waited for where others can answer.
const PATIENCE: Duration = Duration::from_millis(300);

/// `GET /indexes/{uid}/stats` of a node, and of the gateway.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct IndexStats {
    number_of_documents: u64,
    raw_document_db_size: u64,
    avg_document_size: u64,
    is_indexing: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    internal_database_sizes: BTreeMap<String, u64>,
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

/// What one node answers: its statistics, or how many of its documents are wanted of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Part {
    Whole(Counted),
    Some { total: u64 },
}

/// Statistics that say how many documents there are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counted {
    number_of_documents: u64,
    #[serde(flatten)]
    rest: IndexStats,
}

/// Answers the statistics of one index.
pub(crate) async fn of_index(
    gateway: &Gateway,
    index: &IndexRecord,
    query: StatsQuery,
    terms: Terms,
) -> Answer {
    let stats = json!(index_stats(gateway, index, query, terms).await?);
    Ok(json(StatusCode::OK, &sizes::shown(stats, query.size_format)))
}

/// Answers the statistics of everything; of indexes, those the sender may see.
pub(crate) async fn of_instance(
    gateway: &Gateway,
    access: &Access,
    query: StatsQuery,
    terms: Terms,
) -> Answer {
    let stats = of_everything(gateway, access, query, terms).await?;
    Ok(json(StatusCode::OK, &sizes::shown(stats, query.size_format)))
}

/// The statistics of everything, sizes in bytes; of indexes, those the sender may see.
pub(crate) async fn of_everything(
    gateway: &Gateway,
    access: &Access,
    query: StatsQuery,
    terms: Terms,
) -> Result<Value, ResponseError> {
    let path = sizes::path("/stats", query)?;
    let catalog = gateway.log.catalog();
    let topology = gateway.topology.load();
    let scope = Scope { indexes: catalog.indexes.keys().map(String::as_str).collect(), slots: None, turn: 0 };
    let targets = Targets::of(gateway, &topology, &scope);
    let parts = whole_copy(&topology, &targets, &path, terms).await?;
    let mut indexes = BTreeMap::new();
    let visible = || catalog.indexes.iter().filter(|(uid, _)| access.allows(uid));
    for (uid, record) in visible() {
        let sum = match &parts {
            Some(parts) => {
                let of_nodes = parts.iter().filter_map(|part| part.indexes.get(uid).cloned());
                let mut sum = IndexStats::sum(of_nodes);
                sum.is_indexing = is_indexing(gateway, uid).await;
                sum
            }
            None => index_stats(gateway, record, query, terms).await?,
        };
        indexes.insert(uid.clone(), sum);
    }
    let parts = match parts {
        Some(parts) => parts,
        None => everybody(&topology, &NodeRequest::get(path), terms).await?,
    };
    let last_update: Option<OffsetDateTime> = visible().map(|(_, index)| index.updated_at).max();
    Ok(json!({
            "databaseSize": parts.iter().map(|part: &Stats| part.database_size).sum::<u64>(),
            "usedDatabaseSize": parts.iter().map(|part| part.used_database_size).sum::<u64>(),
            "lastUpdate": last_update.and_then(|at| at.format(&Rfc3339).ok()),
            "indexes": indexes,
    }))
}

/// The statistics of nodes that together hold everything exactly once; none where there are no such nodes, or one of them
/// does not answer.
async fn whole_copy(
    topology: &Topology,
    targets: &Targets,
    path: &Uri,
    terms: Terms,
) -> Result<Option<Vec<Stats>>, ResponseError> {
    if !targets.missing.is_empty() || targets.asked.iter().any(|target| target.filter.is_some()) {
        return Ok(None);
    }
    let nodes = targets.asked.iter().map(|target| target.node.clone());
    let alone = topology.map.groups().len() == 1;
    let request = NodeRequest::get(path.clone());
    let parts = ask_all(nodes, &request, patience(terms, alone)).await?;
    Ok((parts.len() == targets.asked.len()).then_some(parts))
}

/// The statistics of one index. Where nodes hold more than is wanted of them, they count what is wanted; the other numbers
/// are in proportion to that.
async fn index_stats(
    gateway: &Gateway,
    index: &IndexRecord,
    query: StatsQuery,
    terms: Terms,
) -> Result<IndexStats, ResponseError> {
    let path = |rest: &str| sizes::path(&format!("/indexes/{}/{rest}", index.uid), query);
    let (stats, fetch) = (path("stats")?, format!("/indexes/{}/documents/fetch", index.uid));
    let fetch: Uri = fetch.parse().map_err(|_| no_stats())?;
    let scope = Scope::of_index(&index.uid);
    let request = |target: &Target| match &target.filter {
        None => NodeRequest::get(stats.clone()),
        Some(filter) => {
            NodeRequest::query(fetch.clone(), json!({ "filter": filter, "limit": 0 }).to_string())
        }
    };
    let gathered = scatter(gateway, &scope, terms, request).await?;
    let parts: Vec<Part> = gathered.answers.iter().map(read).collect::<Result<_, _>>()?;
    let documents = parts.iter().map(Part::documents).sum();
    let whole: Option<Vec<IndexStats>> = parts.into_iter().map(Part::whole).collect();
    let mut sum = match whole {
        Some(whole) => IndexStats::sum(whole.into_iter()),
        None => {
            let all = everybody(&gateway.topology.load(), &NodeRequest::get(stats), terms).await?;
            IndexStats::sum(all.into_iter()).scaled_to(documents)
        }
    };
    sum.is_indexing = is_indexing(gateway, &index.uid).await;
    Ok(sum)
}

/// What every node says that answers soon.
pub(super) async fn everybody<T: for<'de> Deserialize<'de>>(
    topology: &Topology,
    request: &NodeRequest,
    terms: Terms,
) -> Result<Vec<T>, ResponseError> {
    let up = topology.fleet.iter().filter(|node| node.health().is_up() && node.health().is_trusted());
    ask_all(up.cloned(), request, patience(terms, false)).await
}

/// How long nodes are waited for, the only ones for as long as the request may take.
fn patience(terms: Terms, alone: bool) -> Duration {
    let left = terms.deadline.saturating_duration_since(Instant::now());
    if alone { left } else { left.min(PATIENCE) }
}

/// Asks nodes at once, and gives the answers of those that answer.
async fn ask_all<T: for<'de> Deserialize<'de>>(
    nodes: impl Iterator<Item = Node>,
    request: &NodeRequest,
    timeout: Duration,
) -> Result<Vec<T>, ResponseError> {
    let calls: Vec<Call> = nodes.map(|node| Call { node, request: request.clone() }).collect();
    let mut answers = Vec::new();
    for outcome in fan_out(&calls, timeout).await {
        match sort(outcome) {
            Sorted::Answer(body) => answers.push(read(&body)?),
            Sorted::Refused(error) => return Err(error),
            Sorted::Absent(_) | Sorted::Failed => {}
        }
    }
    Ok(answers)
}

fn read<T: for<'de> Deserialize<'de>>(body: &Bytes) -> Result<T, ResponseError> {
    serde_json::from_slice(body).map_err(|error| {
        tracing::error!(%error, "a node's statistics cannot be read");
        no_stats()
    })
}

pub(super) fn no_stats() -> ResponseError {
    ResponseError::new(Code::MiroirMergeFailed, "The nodes' statistics cannot be read.")
}

async fn is_indexing(gateway: &Gateway, uid: &str) -> bool {
    let Ok(uid) = IndexUid::from_path(uid) else { return false };
    let statuses = Some(vec![TaskStatus::Processing]);
    let filter = TaskFilter { statuses, index_uids: Some(vec![uid]), ..TaskFilter::default() };
    let query = TasksQuery { limit: 1, filter, ..TasksQuery::default() };
    gateway.log.tasks(&query).await.is_ok_and(|page| page.total > 0)
}

// === impl Part ===

impl Part {
    fn documents(&self) -> u64 {
        match self {
            Self::Whole(counted) => counted.number_of_documents,
            Self::Some { total } => *total,
        }
    }

    fn whole(self) -> Option<IndexStats> {
        match self {
            Self::Whole(Counted { number_of_documents, rest }) => {
                Some(IndexStats { number_of_documents, ..rest })
            }
            Self::Some { .. } => None,
        }
    }
}

// === impl IndexStats ===

impl IndexStats {
    /// The sum over nodes.
    fn sum(parts: impl Iterator<Item = Self>) -> Self {
        let mut sum = Self::default();
        for part in parts {
            sum.number_of_documents += part.number_of_documents;
            sum.raw_document_db_size += part.raw_document_db_size;
            sum.number_of_embeddings += part.number_of_embeddings;
            sum.number_of_embedded_documents += part.number_of_embedded_documents;
            for (database, size) in part.internal_database_sizes {
                *sum.internal_database_sizes.entry(database).or_default() += size;
            }
            for (field, count) in part.field_distribution {
                if !is_internal(&field) {
                    *sum.field_distribution.entry(field).or_default() += count;
                }
            }
        }
        sum.with_average()
    }

    /// The same in proportion to another number of documents.
    fn scaled_to(mut self, documents: u64) -> Self {
        let held = u128::from(self.number_of_documents.max(1));
        let scale = |count: &mut u64| {
            let scaled = (u128::from(*count) * u128::from(documents) + held / 2) / held;
            *count = u64::try_from(scaled).unwrap_or(u64::MAX);
        };
        let counts = [
            &mut self.raw_document_db_size,
            &mut self.number_of_embeddings,
            &mut self.number_of_embedded_documents,
        ];
        let sizes = self.internal_database_sizes.values_mut();
        counts.into_iter().chain(self.field_distribution.values_mut()).chain(sizes).for_each(scale);
        self.number_of_documents = documents;
        self.field_distribution.retain(|_, count| *count > 0);
        self.with_average()
    }

    fn with_average(mut self) -> Self {
        self.avg_document_size = self.raw_document_db_size.checked_div(self.number_of_documents).unwrap_or(0);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> Part {
        serde_json::from_str(text).expect("a part")
    }

    #[test]
    fn nodes_say_all_they_hold_or_count_what_is_wanted() {
        let whole = part(r#"{"numberOfDocuments":3,"fieldDistribution":{"id":3,"_miroir":3}}"#);
        let some = part(r#"{"results":[],"offset":0,"limit":0,"total":5}"#);
        assert_eq!((whole.documents(), some.documents()), (3, 5));
        assert!(some.whole().is_none());
        let sum = IndexStats::sum(whole.whole().into_iter());
        assert_eq!((sum.number_of_documents, sum.field_distribution.len()), (3, 1));
    }

    #[test]
    fn numbers_of_several_copies_are_in_proportion_to_the_documents() {
        let fields = BTreeMap::from([("id".to_owned(), 20), ("rare".to_owned(), 3)]);
        let both = IndexStats {
            number_of_documents: 20,
            raw_document_db_size: 400,
            field_distribution: fields,
            ..IndexStats::default()
        };
        let one = both.scaled_to(10);
        assert_eq!((one.number_of_documents, one.raw_document_db_size, one.avg_document_size), (10, 200, 20));
        assert_eq!((one.field_distribution["id"], one.field_distribution["rare"]), (10, 2));
        assert_eq!(IndexStats::default().scaled_to(0).number_of_documents, 0);
    }
}
