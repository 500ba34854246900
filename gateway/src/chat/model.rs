//! The server of a model, and its answers as they stream in.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use miroir_chat::{Chunk, DONE, Endpoint, EventReader, Fault};
use miroir_nodes::{Node, NodeError, PooledBody, full};
use miroir_protocol::chats::{Source, Workspace};

use crate::outside;

/// How long a model may say nothing. Those that think before they speak do so for minutes.
const SILENCE: Duration = Duration::from_secs(300);
/// How long the end of an answer is waited for, beyond its last event, so that the connection can be used again.
const SETTLE: Duration = Duration::from_millis(20);
/// What is read of a refusal, in bytes.
const REFUSAL: usize = 64 << 10;
/// The variable that holds a key for workspaces without one, as in Meilisearch.
const KEY_VARIABLE: &str = "OPENAI_API_KEY";

/// A model. Clones share its connection.
#[derive(Clone)]
pub(super) struct Model {
    node: Node,
    uri: Uri,
    fields: HeaderMap,
    source: Source,
    /// Told to nobody.
    key: String,
}

/// An answer of the model, event by event.
pub(super) struct Answer {
    body: PooledBody,
    events: EventReader,
}

// === impl Model ===

impl Model {
    /// The model of a workspace. Nothing is connected before it is asked.
    pub(super) fn of(workspace: &Workspace) -> Result<Self, Fault> {
        let variable = std::env::var(KEY_VARIABLE).ok();
        let key = workspace.api_key.clone().or_else(|| variable.clone()).unwrap_or_default();
        let endpoint = Endpoint::of(workspace, variable.as_deref())
            .map_err(|error| Fault::transport(error.to_string()))?;
        let uri: Uri = endpoint.url.parse().map_err(|_| Fault::transport("the address is none"))?;
        let node = outside::client("model", &uri, endpoint.bearer, 1).map_err(Fault::transport)?;
        let mut fields = HeaderMap::new();
        for (name, value) in endpoint.fields {
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| Fault::transport(format!("`{name}` cannot be sent")))?;
            value.set_sensitive(true);
            fields.insert(HeaderName::from_static(name), value);
        }
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        Ok(Self { node, uri, fields, source: workspace.source, key })
    }

    /// Asks the model.
    pub(super) async fn ask(&self, body: Vec<u8>) -> Result<Answer, Fault> {
        let mut request = Request::new(full(body));
        *request.method_mut() = Method::POST;
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| self.unreachable())?;
        *request.headers_mut() = self.fields.clone();
        let answered = tokio::time::timeout(SILENCE, self.node.send(request)).await;
        let answered = answered.unwrap_or(Err(NodeError::Timeout(SILENCE)));
        let response = answered.map_err(|error| self.unreachable().caused_by(error))?;
        if is_stream(&response) {
            return Ok(Answer { body: response.into_body(), events: EventReader::default() });
        }
        let status = response.status();
        let refusal = tokio::time::timeout(SILENCE, start(response.into_body())).await.unwrap_or_default();
        Err(Fault::refused(self.source, &refusal).without(&self.key).caused_by(status))
    }

    fn unreachable(&self) -> Fault {
        let scheme = self.uri.scheme_str().unwrap_or("http");
        let (host, path) = (self.uri.host().unwrap_or_default(), self.uri.path());
        let port = self.uri.port().map(|port| format!(":{port}")).unwrap_or_default();
        let query = self.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        Fault::transport(format!("error sending request for url ({scheme}://{host}{port}{path}{query})"))
    }
}

/// Whether a response is what was asked for.
fn is_stream(response: &Response<PooledBody>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    response.status() == StatusCode::OK && kind.trim().eq_ignore_ascii_case("text/event-stream")
}

/// The beginning of a body.
async fn start(mut body: PooledBody) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < REFUSAL
        && let Some(Ok(frame)) = body.frame().await
    {
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    bytes
}

// === impl Answer ===

impl Answer {
    /// The next piece of the answer; none after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Chunk>, Fault> {
        loop {
            if let Some(data) = self.events.next_event()? {
                if data == DONE {
                    return Ok(None);
                }
                return Chunk::from_json(&data).map(Some).map_err(|error| Fault::unreadable(&error));
            }
            let frame = tokio::time::timeout(SILENCE, self.body.frame()).await;
            let frame = frame.map_err(|_| {
                Fault::transport(format!("the model has said nothing for {} seconds", SILENCE.as_secs()))
            })?;
            let Some(frame) = frame else { return Err(Fault::ended()) };
            let frame =
                frame.map_err(|error| Fault::transport("error decoding response body").caused_by(error))?;
            self.events.push(frame.data_ref().map_or(&[], |data| data));
        }
    }

    /// Reads what may follow the last event.
    pub(super) async fn finish(mut self) {
        let rest = async { while let Some(Ok(_)) = self.body.frame().await {} };
        let _ = tokio::time::timeout(SETTLE, rest).await;
    }
}
