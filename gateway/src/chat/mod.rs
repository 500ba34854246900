//! Chat completions: a conversation between a client and a model, in which the model searches.
//!
//! The gateway talks to the model's server itself, and makes every search that the model wants as it makes a client's:
//! over all nodes, with what the client's key and token allow. No node is asked for a completion, as it would search
//! only the documents it holds.

mod about;
mod body;
mod metrics;
mod model;
mod search;
mod talk;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt;
use miroir_chat::{ChatRequest, Conversation, Reports, SearchTool};
use miroir_filters::{Body, auth::Access};
use miroir_protocol::error::{Code, ResponseError};
use uuid::Uuid;

use self::{body::TalkBody, metrics::ChatMetrics, model::Model, search::Searcher, talk::Talk};
use crate::{answer::Answer, instance::chats, read::scatter::Terms, state::Gateway};

/// `POST /chats/{uid}/chat/completions`.
pub(crate) async fn completions(
    gateway: &Gateway,
    access: &Access,
    uid: &str,
    body: &Bytes,
    terms: Terms,
) -> Answer {
    let mut request = ChatRequest::from_json(body)?;
    chats::check(gateway, "using the /chats chat completions route")?;
    check(&request)?;
    let workspace = chats::workspace(gateway, uid).await?;
    let reports = Reports::take(&mut request)?;
    let indexes = about::indexes(gateway, access, terms).await?;
    SearchTool::new(&workspace.prompts, &indexes).add_to(&mut request);
    let source = workspace.source;
    let is_developer = source.knows_developers(request.model());
    request.instruct(workspace.prompts.system.clone(), is_developer);
    request.stream(source.tells_usage());
    let metrics = gateway.metrics.set::<ChatMetrics>();
    let talk = Talk {
        model: Model::of(&workspace),
        tokens: metrics.tokens(uid, request.model()),
        conversation: Conversation::new(request, reports, Uuid::new_v4),
        searcher: Searcher::new(gateway, access, terms, metrics),
    };
    Ok(streamed(TalkBody::new(|events| talk.run(events))))
}

/// Refuses what Meilisearch does not do yet.
fn check(request: &ChatRequest) -> Result<(), ResponseError> {
    if let Some(n) = request.several() {
        let message = format!("You tried to specify n = {n} but only single choices are supported (n = 1).");
        return Err(ResponseError::new(Code::UnimplementedMultiChoiceChatCompletions, message));
    }
    if !request.is_streamed() {
        let message = "Non-streamed chat completions is not implemented";
        return Err(ResponseError::new(Code::UnimplementedNonStreamingChatCompletions, message));
    }
    Ok(())
}

fn streamed(body: TalkBody) -> Response<Body> {
    let mut response = Response::new(body.boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
