//! The documents of a task that is not over yet.

use std::io::{self, Read};

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use miroir_filters::{BoxError, auth::Access};
use miroir_log::{LogError, PayloadReader};
use miroir_protocol::error::{Code, ResponseError};
use tokio::{sync::mpsc, task::spawn_blocking};

use crate::{access::sees_task, answer::Answer, state::Gateway, write::log_error};

/// How much is read at once, and how many such pieces wait to be sent.
const PIECE: usize = 64 << 10;
const AHEAD: usize = 4;

/// `GET /tasks/{uid}/documents`.
pub(crate) async fn documents(gateway: &Gateway, uid: u32, access: &Access) -> Answer {
    let failed = |error: LogError| log_error(&error);
    let task = gateway.log.task(uid).await.map_err(failed)?;
    task.filter(|task| sees_task(access, task)).ok_or_else(|| ResponseError::task_not_found(uid))?;
    let none = || {
        let message = format!(
            "Task `{uid}` does not contain any documents. Only `documentAdditionOrUpdate` tasks with the statuses \
             `enqueued` or `processing` contain documents"
        );
        ResponseError::new(Code::TaskFileNotFound, message)
    };
    let logged = gateway.log.unfinished(uid, 1).await.map_err(failed)?.pop();
    let entry = logged.map(|logged| logged.entry).filter(|entry| entry.uid == uid).ok_or_else(none)?;
    let payload = entry.operation.payload().ok_or_else(none)?;
    let reader = gateway.log.open_payload(payload).await.map_err(failed)?;
    let mut response = Response::new(streamed(reader));
    let kind = HeaderValue::from_static("application/x-ndjson");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Read on a blocking thread, no further ahead than the client takes it.
fn streamed(mut reader: PayloadReader) -> miroir_filters::Body {
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(AHEAD);
    spawn_blocking(move || {
        loop {
            let mut piece = vec![0; PIECE];
            let read = reader.read(&mut piece);
            let ended = !matches!(read, Ok(1..));
            let piece = read.map(|length| {
                piece.truncate(length);
                Bytes::from(piece)
            });
            if matches!(&piece, Ok(piece) if piece.is_empty())
                || sender.blocking_send(piece).is_err()
                || ended
            {
                return;
            }
        }
    });
    let stream = futures_util::stream::poll_fn(move |cx| {
        receiver.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data).map_err(BoxError::from)))
    });
    StreamBody::new(stream).boxed_unsync()
}
