//! `GET /metrics`: the gateway's own numbers, those of the whole under Meilisearch's names, and the sum of the nodes'.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use http::{HeaderValue, Response, StatusCode, Uri, header};
use miroir_filters::{Body, auth::Access};
use miroir_nodes::{Call, NodeRequest, fan_out};
use miroir_protocol::{
    error::{Code, ResponseError},
    features::METRICS,
    stats::StatsQuery,
    tasks::{TaskFilter, TaskStatus, TasksQuery},
};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    answer::{Answer, json_bytes},
    read::{scatter::Terms, stats},
    state::Gateway,
};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Numbers of nodes that say nothing once they are added up, or are about a node's own batches.
const OF_ONE_NODE: [&str; 6] = [
    "meilisearch_batch_running_progress_trace",
    "meilisearch_last_finished_batches_progress_trace_ms",
    "meilisearch_last_indexed_documents_count",
    "meilisearch_last_indexed_documents_duration_ms",
    "meilisearch_last_update",
    "meilisearch_task_queue_latency_seconds",
];

/// A family of numbers: its help, its type, and its series in text.
#[derive(Debug, Default)]
struct Family {
    about: Vec<String>,
    series: BTreeMap<String, f64>,
}

/// Answers the metrics, or that they are off.
pub(crate) async fn metrics(gateway: &Gateway, access: &Access, terms: Terms) -> Answer {
    if !gateway.features.now().metrics {
        return Err(METRICS.needed_for("Getting metrics"));
    }
    if !access.allows_all() {
        let message = "The provided API key is invalid. The API key for the `/metrics` route must allow access to all \
                       indexes.";
        return Err(ResponseError::new(Code::InvalidApiKey, message));
    }
    let mut families = of_whole(gateway, access, terms).await?;
    let own: BTreeSet<String> = families.keys().cloned().collect();
    for (name, family) in of_nodes(gateway, terms).await {
        if !own.contains(&name) && !OF_ONE_NODE.contains(&name.as_str()) {
            families.insert(name, family);
        }
    }
    let mut text = gateway.metrics.text().trim_end().trim_end_matches("# EOF").to_owned();
    for (name, family) in &families {
        family.write(name, &mut text);
    }
    Ok(answer(text))
}

fn answer(text: String) -> Response<Body> {
    let mut response = json_bytes(StatusCode::OK, text);
    response.headers_mut().insert(header::CONTENT_TYPE, TEXT);
    response
}

/// What only the gateway knows of the whole.
async fn of_whole(
    gateway: &Gateway,
    access: &Access,
    terms: Terms,
) -> Result<BTreeMap<String, Family>, ResponseError> {
    let stats = stats::of_everything(gateway, access, StatsQuery::default(), terms).await?;
    let mut families = BTreeMap::new();
    let mut gauge = |name: &str, help: &str, series: Vec<(String, f64)>| {
        let about = vec![format!("# HELP {name} {help}"), format!("# TYPE {name} gauge")];
        families.insert(name.to_owned(), Family { about, series: series.into_iter().collect() });
    };
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    let one = |name: &str, value: f64| vec![(name.to_owned(), value)];
    for (name, help, member) in [
        ("meilisearch_db_size_bytes", "Meilisearch DB Size In Bytes", "databaseSize"),
        ("meilisearch_used_db_size_bytes", "Meilisearch Used DB Size In Bytes", "usedDatabaseSize"),
    ] {
        gauge(name, help, one(name, number(&stats[member])));
    }
    let indexes = stats["indexes"].as_object();
    let count = u32::try_from(indexes.map_or(0, serde_json::Map::len)).unwrap_or(u32::MAX);
    gauge(
        "meilisearch_index_count",
        "Meilisearch Index Count",
        one("meilisearch_index_count", f64::from(count)),
    );
    let documents = indexes.into_iter().flatten().map(|(uid, stats)| {
        (format!("meilisearch_index_docs_count{{index=\"{uid}\"}}"), number(&stats["numberOfDocuments"]))
    });
    gauge("meilisearch_index_docs_count", "Meilisearch Index Docs Count", documents.collect());
    let tasks = tasks(gateway).await;
    let indexing = tasks.iter().any(|(series, count)| series.contains("\"processing\"") && *count > 0.0);
    gauge("meilisearch_nb_tasks", "Meilisearch Number of tasks", tasks);
    let indexing = one("meilisearch_is_indexing", f64::from(u8::from(indexing)));
    gauge("meilisearch_is_indexing", "Meilisearch Is Indexing", indexing);
    Ok(families)
}

/// How many tasks have each status.
async fn tasks(gateway: &Gateway) -> Vec<(String, f64)> {
    let statuses = [
        (TaskStatus::Canceled, "canceled"),
        (TaskStatus::Enqueued, "enqueued"),
        (TaskStatus::Failed, "failed"),
        (TaskStatus::Processing, "processing"),
        (TaskStatus::Succeeded, "succeeded"),
    ];
    let mut series = Vec::new();
    for (status, name) in statuses {
        let filter = TaskFilter { statuses: Some(vec![status]), ..TaskFilter::default() };
        let query = TasksQuery { limit: 0, filter, ..TasksQuery::default() };
        if let Ok(page) = gateway.log.tasks(&query).await {
            let total = u32::try_from(page.total).unwrap_or(u32::MAX);
            series.push((
                format!("meilisearch_nb_tasks{{kind=\"statuses\",value=\"{name}\"}}"),
                f64::from(total),
            ));
        }
    }
    series
}

/// The sum of what the nodes count. A node that cannot be asked, or has no metrics, adds nothing.
async fn of_nodes(gateway: &Gateway, terms: Terms) -> BTreeMap<String, Family> {
    let topology = gateway.topology.load();
    let request = NodeRequest::get(Uri::from_static("/metrics"));
    let calls: Vec<Call> =
        topology.fleet.iter().map(|node| Call { node: node.clone(), request: request.clone() }).collect();
    let left = terms.deadline.saturating_duration_since(Instant::now());
    let mut families = BTreeMap::new();
    for outcome in fan_out(&calls, left).await {
        if let Ok(answer) = outcome.result
            && answer.status == StatusCode::OK
        {
            add(&mut families, &String::from_utf8_lossy(&answer.body));
        }
    }
    families
}

/// Adds one node's numbers up with those of others.
fn add(families: &mut BTreeMap<String, Family>, text: &str) {
    let mut name = String::new();
    let mut is_new = false;
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let Some((_, of)) = about.split_once(' ') else { continue };
            let of = of.split(' ').next().unwrap_or_default();
            if of != name {
                is_new = !families.contains_key(of);
                of.clone_into(&mut name);
            }
            if is_new {
                families.entry(name.clone()).or_default().about.push(line.to_owned());
            }
        } else if let Some((series, value)) = line.rsplit_once(' ')
            && let Ok(value) = value.parse::<f64>()
            && !name.is_empty()
        {
            *families.entry(name.clone()).or_default().series.entry(series.to_owned()).or_default() += value;
        }
    }
}

impl Family {
    fn write(&self, name: &str, text: &mut String) {
        for line in &self.about {
            let _ = writeln!(text, "{line}");
        }
        if self.about.is_empty() {
            let _ = writeln!(text, "# TYPE {name} untyped");
        }
        for (series, value) in &self.series {
            let _ = writeln!(text, "{series} {value}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_numbers_of_several_nodes_are_added_up() {
        let node = "# HELP a_total An a\n# TYPE a_total counter\na_total{x=\"1 2\"} 3\na_total{x=\"3\"} 1\n";
        let mut families = BTreeMap::new();
        add(&mut families, node);
        add(&mut families, "# HELP a_total An a\n# TYPE a_total counter\na_total{x=\"1 2\"} 4\n");
        let mut text = String::new();
        families["a_total"].write("a_total", &mut text);
        let expected =
            "# HELP a_total An a\n# TYPE a_total counter\na_total{x=\"1 2\"} 7\na_total{x=\"3\"} 1\n";
        assert_eq!(text, expected);
    }
}
