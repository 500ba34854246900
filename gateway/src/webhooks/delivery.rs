//! One request to a webhook.

use std::{io::Write, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use miroir_nodes::full;
use miroir_protocol::{tasks::TaskView, webhooks::Webhook};
use tokio::time::timeout;
use uuid::Uuid;

use crate::outside;

/// How long a webhook may take over a request, as in Meilisearch.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is sent, and how long after the first failure it is sent again, doubled each time.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Sends the tasks as NDJSON, compressed. A webhook that fails again and again is not told of them.
pub(super) async fn deliver(uuid: Uuid, webhook: &Webhook, tasks: &[TaskView]) {
    let body = match compressed(tasks) {
        Ok(body) => body,
        Err(error) => return tracing::error!(%error, %uuid, "tasks cannot be written"),
    };
    let mut pause = FIRST_PAUSE;
    for try_number in 1..=TRIES {
        match send(webhook, body.clone()).await {
            Ok(()) => return,
            Err(error) if try_number == TRIES => {
                let (first, last) = (tasks.first(), tasks.last());
                let (first, last) = (first.map(|task| task.uid), last.map(|task| task.uid));
                tracing::error!(error, %uuid, ?first, ?last, "webhook is not told of these tasks");
            }
            Err(error) => {
                tracing::warn!(error, %uuid, try_number, "webhook failed, trying again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
    }
}

async fn send(webhook: &Webhook, body: Bytes) -> Result<(), String> {
    let uri: Uri = webhook.url.parse().map_err(|error| format!("{}: {error}", webhook.url))?;
    // For one request: a webhook is called now and then, and its address may change.
    let node = outside::client("webhook", &uri, None, 0)?;
    let mut request = Request::new(full(body));
    *request.method_mut() = Method::POST;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|error| format!("{path}: {error}"))?;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    for (name, value) in &webhook.headers {
        // They were checked when they were set.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            headers.insert(name, value);
        }
    }
    let answer = timeout(TIMEOUT, node.send(request)).await;
    let answer = answer.map_err(|_| format!("no answer within {}s", TIMEOUT.as_secs()))?;
    // Its body says nothing, however long it is.
    let status = answer.map_err(|error| error.to_string())?.status();
    if status < StatusCode::BAD_REQUEST { Ok(()) } else { Err(format!("it answered {status}")) }
}

fn compressed(tasks: &[TaskView]) -> std::io::Result<Bytes> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    for task in tasks {
        serde_json::to_writer(&mut gzip, task)?;
        gzip.write_all(b"\n")?;
    }
    Ok(gzip.finish()?.into())
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// What comes of a request to somebody who answers so, and then keeps the connection.
    async fn sent(answer: &'static str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let receiver = tokio::spawn(async move {
            let (mut connection, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).await.expect("a request");
            connection.write_all(answer.as_bytes()).await.expect("answered");
            std::future::pending::<()>().await;
        });
        let webhook = Webhook { url, headers: Default::default() };
        let came = timeout(Duration::from_secs(10), send(&webhook, Bytes::from_static(b"{}"))).await;
        receiver.abort();
        came.expect("nobody waits for the body")
    }

    #[tokio::test]
    async fn the_status_alone_counts_however_long_the_body_is() {
        assert_eq!(sent("HTTP/1.1 200 OK\r\ncontent-length: 3000000000\r\n\r\nabc").await, Ok(()));
        let failed = sent("HTTP/1.1 500 No\r\ncontent-length: 3000000000\r\n\r\nabc").await;
        assert!(failed.is_err_and(|error| error.contains("500")));
    }
}
