//! The sample data, loaded as any client would: through the gateway.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use indicatif::{ProgressBar, ProgressStyle};
use miroir_nodes::{Node, NodeConfig, NodeRequest, full};
use serde_json::{Value, json};

use super::DevError;

/// 3,200 films.
const MOVIES: &[u8] = include_bytes!("../../../sample/movies.ndjson");
/// How many of them go into one request.
const BATCH: usize = 400;
const TIMEOUT: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(25);

/// Loads the films into the index `movies`.
pub(super) struct Sample {
    gateway: Node,
}

impl Sample {
    pub(super) fn new(address: SocketAddr, key: &str) -> Result<Self, DevError> {
        let gateway = Node::new(NodeConfig {
            name: "gateway".to_owned(),
            authority: address.to_string(),
            key: Some(key.to_owned()),
            connect_timeout: TIMEOUT,
            max_idle: 2,
            max_answer: 1 << 20,
        });
        let gateway =
            gateway.ok_or_else(|| DevError::Sample("the master key cannot stand in a header".to_owned()))?;
        Ok(Self { gateway })
    }

    /// Loads, unless a kept directory has the films already.
    pub(super) async fn load(&self) -> Result<(), DevError> {
        let there = self.ask(&NodeRequest::get(uri("/indexes/movies/stats"))).await;
        if there.is_ok_and(|stats| stats["numberOfDocuments"].as_u64() > Some(0)) {
            println!("The sample data is there already");
            return Ok(());
        }
        let settings = json!({
            "searchableAttributes": ["title", "director", "genre", "distributor"],
            "filterableAttributes": ["genre", "year", "director", "mpaa_rating", "imdb_rating", "distributor"],
            "sortableAttributes": ["year", "imdb_rating", "imdb_votes", "title", "release_date"],
        });
        let create = json!({ "uid": "movies", "primaryKey": "id" });
        self.task(NodeRequest::write(Method::POST, uri("/indexes"), create.to_string())).await?;
        let path = uri("/indexes/movies/settings");
        self.task(NodeRequest::write(Method::PATCH, path, settings.to_string())).await?;
        self.documents().await
    }

    async fn documents(&self) -> Result<(), DevError> {
        let lines: Vec<&[u8]> = MOVIES.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        let bar = ProgressBar::new(lines.len() as u64);
        if let Ok(style) = ProgressStyle::with_template("Loading films {bar:40} {pos}/{len}") {
            bar.set_style(style);
        }
        let mut tasks = Vec::new();
        for batch in lines.chunks(BATCH) {
            tasks.push((self.send(batch.join(&b'\n').into()).await?, batch.len()));
        }
        for (task, films) in tasks {
            self.wait(task).await?;
            bar.inc(films as u64);
        }
        bar.finish();
        Ok(())
    }

    async fn send(&self, films: Bytes) -> Result<u64, DevError> {
        let mut request = Request::new(full(films));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri("/indexes/movies/documents");
        let ndjson = HeaderValue::from_static("application/x-ndjson");
        request.headers_mut().insert(header::CONTENT_TYPE, ndjson);
        let response =
            self.gateway.send(request).await.map_err(|error| DevError::Sample(error.to_string()))?;
        let status = response.status();
        let body =
            response.into_body().collect().await.map_err(|error| DevError::Sample(error.to_string()))?;
        task_uid(&read(status, &body.to_bytes())?)
    }

    async fn task(&self, request: NodeRequest) -> Result<(), DevError> {
        let uid = task_uid(&self.ask(&request).await?)?;
        self.wait(uid).await
    }

    async fn wait(&self, uid: u64) -> Result<(), DevError> {
        loop {
            let task = self.ask(&NodeRequest::get(uri(&format!("/tasks/{uid}")))).await?;
            match task["status"].as_str() {
                Some("succeeded") => return Ok(()),
                Some("failed" | "canceled") => {
                    return Err(DevError::Sample(task["error"]["message"].to_string()));
                }
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn ask(&self, request: &NodeRequest) -> Result<Value, DevError> {
        let answer =
            self.gateway.ask(request, TIMEOUT).await.map_err(|error| DevError::Sample(error.to_string()))?;
        read(answer.status, &answer.body)
    }
}

fn read(status: StatusCode, body: &[u8]) -> Result<Value, DevError> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    let message = value["message"].as_str().map_or_else(|| status.to_string(), str::to_owned);
    Err(DevError::Sample(message))
}

fn task_uid(value: &Value) -> Result<u64, DevError> {
    value["taskUid"].as_u64().ok_or_else(|| DevError::Sample("an answer without a task".to_owned()))
}

fn uri(path: &str) -> http::Uri {
    path.parse().unwrap_or_default()
}
