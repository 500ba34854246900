//! The `/logs` routes: the program's messages, streamed to one client at a time, and how many go to standard error.

use std::{
    io,
    pin::Pin,
    str::FromStr,
    task::{Context, Poll},
};

use bytes::Bytes;
use deserr::Deserr;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::BodyExt;
use miroir_filters::BoxError;
use miroir_protocol::{
    error::{Code, ResponseError},
    features::LOGS_ROUTE,
    parse::{self, JsonRefusal},
};
use tokio::sync::mpsc;
use tracing_subscriber::filter::Targets;

use super::not_supported;
use crate::{
    answer::{Answer, empty},
    state::Gateway,
    telemetry::{Form, Messages},
};

/// Messages that wait for a client that reads slowly. Those above are lost to it.
const WAITING: usize = 10_000;

const EXAMPLE: &str = "Empty string is not a valid target. If you want to get no logs use `OFF`. Usage: `info`, \
                       `meilisearch=info`, or you can write multiple filters in one target: \
                       `index_scheduler=info,milli=trace`";

#[derive(Debug, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
struct StreamLogs {
    #[deserr(default)]
    target: Option<String>,
    #[deserr(default)]
    mode: Mode,
    #[deserr(default)]
    profile_memory: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserr)]
#[deserr(rename_all = camelCase)]
enum Mode {
    #[default]
    Human,
    Json,
    Profile,
}

#[derive(Debug, Deserr)]
#[deserr(error = JsonRefusal, rename_all = camelCase, deny_unknown_fields)]
struct Stderr {
    #[deserr(default)]
    target: Option<String>,
}

/// The body of an answer that is messages until the client goes or the stream is stopped.
struct LogBody {
    lines: mpsc::Receiver<Bytes>,
    messages: Messages,
}

/// Where messages are written for a client.
#[derive(Clone)]
struct LogWriter(mpsc::Sender<Bytes>);

fn check(gateway: &Gateway) -> Result<(), ResponseError> {
    let is_on = gateway.features.now().logs_route;
    if is_on { Ok(()) } else { Err(LOGS_ROUTE.needed_for("Modifying logs through the `/logs/*` routes")) }
}

fn targets(target: Option<&str>) -> Result<Targets, ResponseError> {
    let refused =
        |why: String| ResponseError::new(Code::BadRequest, format!("Invalid value at `.target`: {why}"));
    match target.unwrap_or("info") {
        "" => Err(refused(EXAMPLE.to_owned())),
        text => Targets::from_str(text).map_err(|error| refused(error.to_string())),
    }
}

/// `POST /logs/stream`.
pub(crate) fn stream(gateway: &Gateway, body: &Bytes) -> Answer {
    let wanted: StreamLogs = parse::json(body)?;
    let targets = targets(wanted.target.as_deref())?;
    if wanted.profile_memory && wanted.mode != Mode::Profile {
        let message = format!(
            "Invalid value: `profile_memory` can only be used while profiling code and is not compatible with the {:?} \
             mode.",
            wanted.mode
        );
        return Err(ResponseError::new(Code::InvalidSettingsTypoTolerance, message));
    }
    check(gateway)?;
    let form = match wanted.mode {
        Mode::Human => Form::Text,
        Mode::Json => Form::Json,
        Mode::Profile => {
            return Err(not_supported("Profiles are not taken: there is no engine in the gateway."));
        }
    };
    let messages = gateway.messages.clone().ok_or_else(no_messages)?;
    let (sender, lines) = mpsc::channel(WAITING);
    let writer = LogWriter(sender);
    if !messages.stream(targets, form, move || writer.clone()) {
        let message = "The `/logs/stream` route is currently in use by someone else.";
        return Err(ResponseError::new(Code::BadRequest, message));
    }
    let mut response = Response::new(LogBody { lines, messages }.boxed_unsync());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// `DELETE /logs/stream`.
pub(crate) fn stop(gateway: &Gateway) -> Answer {
    check(gateway)?;
    if let Some(messages) = &gateway.messages {
        messages.stop_stream();
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

/// `POST /logs/stderr`.
pub(crate) fn stderr(gateway: &Gateway, body: &Bytes) -> Answer {
    let wanted: Stderr = parse::json(body)?;
    let targets = targets(wanted.target.as_deref())?;
    check(gateway)?;
    gateway.messages.as_ref().ok_or_else(no_messages)?.set_stderr(&targets);
    Ok(empty(StatusCode::NO_CONTENT))
}

fn no_messages() -> ResponseError {
    not_supported("This process does not write its own messages.")
}

// === impl LogBody ===

impl http_body::Body for LogBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.lines.poll_recv(cx).map(|line| line.map(|line| Ok(Frame::data(line))))
    }
}

impl Drop for LogBody {
    fn drop(&mut self) {
        self.messages.stop_stream();
    }
}

// === impl LogWriter ===

impl io::Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // A client that reads too slowly misses messages; nobody waits for it.
        let _ = self.0.try_send(Bytes::copy_from_slice(line));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
