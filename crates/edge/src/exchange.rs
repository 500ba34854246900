//! One request and its answer.

use std::{convert::Infallible, future::poll_fn, panic::AssertUnwindSafe, pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use pingora_core::{Result, protocols::http::ServerSession};
use tower_service::Service;

use crate::{
    BoxError, RequestBody,
    framing::{Framing, frame},
    intake::{DRAIN_LIMIT, Event, Intake},
    request::{Asked, Head},
};

/// How long a client whose body was left unread may take to notice that the answer is complete.
const LINGER: Duration = Duration::from_secs(2);

/// How much of such a body is thrown away in that time.
const LINGER_LIMIT: usize = 16 * 1024 * 1024;

/// How fast a client has to take an answer on the whole, in bytes a second.
const SLOWEST: u64 = 1024;

/// How long the rest of a short unwanted body may take to come.
const DRAIN: Duration = Duration::from_secs(1);

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The answer was sent as a whole; the connection may be used again, if both sides wish.
    Complete,
    /// The client left, or the answer broke off: the connection (or stream) is not usable.
    Broken,
}

/// Serves the request whose head the session has read; the client may take none of the answer for as long as `stalled`.
pub(crate) async fn serve<S, B>(
    session: &mut ServerSession,
    service: S,
    stalled: Duration,
    closing: impl Fn() -> bool,
) -> Outcome
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    // Makes pingora work out the body's framing, for which it needs the head's own headers.
    session.is_body_done();
    let head = Head::take(session);
    let asked = head.asked();
    let (mut intake, body) = Intake::start(session, &head).await;
    let request = Request::from_parts(head.parts, body);
    let Some(response) = answer(session, &mut intake, call(service, request)).await else {
        return Outcome::Broken;
    };
    let sent = match response {
        Some(response) => send(session, &mut intake, response, &asked, stalled, closing).await,
        None => refuse(session, StatusCode::INTERNAL_SERVER_ERROR).await.map_err(Into::into),
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "response not sent as a whole");
        // HTTP/2 needs to be told; an HTTP/1 connection says so by closing.
        if session.is_http2() {
            session.shutdown().await;
        }
        return Outcome::Broken;
    }
    let cut_off = intake.is_cut_off();
    drop(intake);
    settle(session, cut_off).await
}

/// Answers with a status alone, and closes the connection.
pub(crate) async fn refuse(session: &mut ServerSession, status: StatusCode) -> Result<()> {
    let mut parts = Response::new(()).into_parts().0;
    parts.status = status;
    parts.headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from_static("0"));
    session.set_keepalive(None);
    session.write_response_header(Box::new(parts.into())).await?;
    session.write_response_body(Bytes::new(), true).await
}

/// Calls the service, as tower wants it: the clone that said it is ready.
async fn call<S, B>(mut service: S, request: Request<RequestBody>) -> Response<B>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>,
{
    let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await;
    let Ok(response) = service.call(request).await;
    response
}

/// Waits for the service. `None` if the client left first, `Some(None)` if the service panicked.
async fn answer<R>(
    session: &mut ServerSession,
    intake: &mut Intake,
    call: impl Future<Output = R>,
) -> Option<Option<R>> {
    let mut call = pin!(AssertUnwindSafe(call).catch_unwind());
    loop {
        let event = tokio::select! {
            biased;
            response = &mut call => {
                if response.is_err() {
                    tracing::error!("the service panicked");
                }
                return Some(response.ok());
            }
            event = intake.next_event(session) => event,
        };
        let written = match event {
            Event::Continue => go_on(session).await,
            Event::Gone => return None,
        };
        if written.is_err() {
            return None;
        }
    }
}

/// Sends the response as its body produces it.
async fn send<B>(
    session: &mut ServerSession,
    intake: &mut Intake,
    response: Response<B>,
    asked: &Asked,
    stalled: Duration,
    closing: impl Fn() -> bool,
) -> Result<(), BoxError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let (mut parts, body) = response.into_parts();
    if parts.status.is_informational() {
        refuse(session, StatusCode::INTERNAL_SERVER_ERROR).await?;
        return Err("a service cannot answer with an informational status".into());
    }
    let (framing, close) = frame(&mut parts, &body.size_hint(), asked);
    keep_or_close(session, close || closing() || framing == Framing::UntilClose, intake);
    session.write_response_header(Box::new(parts.into())).await?;
    if framing == Framing::Empty {
        write(session, Bytes::new(), true, stalled).await?;
        return Ok(());
    }
    let mut body = pin!(body);
    while !body.is_end_stream() {
        let frame = tokio::select! {
            biased;
            frame = poll_fn(|cx| body.as_mut().poll_frame(cx)) => frame,
            () = gone(session, intake) => return Err("the client left".into()),
        };
        let Some(frame) = frame.transpose().map_err(Into::into)? else { break };
        if send_frame(session, frame, body.is_end_stream(), stalled).await? {
            return Ok(());
        }
    }
    write(session, Bytes::new(), true, stalled).await
}

/// Writes a part of an answer, as long as the client takes it.
async fn write(
    session: &mut ServerSession,
    data: Bytes,
    last: bool,
    stalled: Duration,
) -> Result<(), BoxError> {
    let patience = stalled + Duration::from_secs(data.len() as u64 / SLOWEST);
    tokio::time::timeout(patience, session.write_response_body(data, last))
        .await
        .map_err(|_| "the client does not read the answer")?
        .map_err(Into::into)
}

/// Sends one frame; tells whether the body is at its end.
async fn send_frame(
    session: &mut ServerSession,
    frame: Frame<Bytes>,
    last: bool,
    stalled: Duration,
) -> Result<bool, BoxError> {
    match frame.into_data() {
        Ok(data) => {
            write(session, data, last, stalled).await?;
            Ok(last)
        }
        Err(frame) => match frame.into_trailers() {
            // pingora has no trailers for HTTP/1: there they are left out.
            Ok(trailers) if session.is_http2() => {
                session.write_response_trailers(trailers).await?;
                Ok(true)
            }
            _ => Ok(false),
        },
    }
}

/// Lets pingora put the right `connection` header into the answer.
fn keep_or_close(session: &mut ServerSession, close: bool, intake: &Intake) {
    let ServerSession::H1(session) = session else { return };
    session.set_close_on_response_before_downstream_finish(!intake.can_be_drained());
    if close || intake.is_cut_off() {
        session.set_server_keepalive(None);
    }
}

/// Tells the client to send the body it holds back.
async fn go_on(session: &mut ServerSession) -> Result<()> {
    if let ServerSession::H1(session) = session {
        // pingora takes this for the answer, and would close the connection after it.
        session.set_close_on_response_before_downstream_finish(false);
    }
    session.write_continue_response().await
}

/// Resolves when the client leaves. It is too late to tell the client to go on with its body.
async fn gone(session: &mut ServerSession, intake: &mut Intake) {
    while intake.next_event(session).await != Event::Gone {}
}

/// After the answer: makes an HTTP/1 connection usable for the next request, or closes it such that
/// the client can still read the answer.
async fn settle(session: &mut ServerSession, cut_off: bool) -> Outcome {
    // For pingora a malformed body is done. Where the next request begins behind one, nobody knows: a guess would be
    // an opening for requests that somebody hides in a body.
    if session.is_http2() || session.is_body_done() && !cut_off {
        return Outcome::Complete;
    }
    let keep = session.get_keepalive().is_some() && !cut_off;
    if keep && matches!(throw_away(session, DRAIN_LIMIT, DRAIN).await, Ok(true)) {
        return Outcome::Complete;
    }
    // Closing a socket with unread bytes resets it, and a reset can overtake the answer.
    session.shutdown().await;
    let _ = throw_away(session, LINGER_LIMIT, LINGER).await;
    Outcome::Broken
}

/// Reads the rest of the body within limits; tells whether that was all.
async fn throw_away(session: &mut ServerSession, limit: usize, time: Duration) -> Result<bool> {
    let reading = async {
        let mut bytes = 0;
        while bytes <= limit {
            match session.read_request_body().await? {
                Some(chunk) => bytes += chunk.len(),
                None => return Ok(true),
            }
        }
        Ok(false)
    };
    tokio::time::timeout(time, reading).await.unwrap_or(Ok(false))
}
