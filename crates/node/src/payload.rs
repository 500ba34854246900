//! Payloads of documents: checked while they come in, and kept in a file until their task's turn.

use std::fs::File;
use std::path::{Path, PathBuf};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use miroir_payload::{Format, Intake, IntakeError, Summary};
use miroir_protocol::error::{Code, ResponseError};
use tokio::sync::mpsc;

/// Chunks of a body that may wait to be written.
const CHUNKS: usize = 4;

/// What the reader of a body hands to the writer of the file.
enum Part {
    Chunk(Bytes),
    End,
}

/// Checks a payload of up to `limit` bytes and writes its documents to a new file, one after another.
pub(crate) async fn receive(
    body: Body,
    format: Format,
    path: PathBuf,
    limit: usize,
) -> Result<Summary, ResponseError> {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let file = path.clone();
    let writing = tokio::task::spawn_blocking(move || write(format, &file, receiver));
    let read = read(body, limit, &sender).await;
    drop(sender);
    let written = writing.await.map_err(|error| {
        ResponseError::new(Code::Internal, format!("An internal error has occurred. `{error}`."))
    })?;
    let result = match (read, written) {
        (Err(error), _) => Err(error),
        (Ok(()), Ok(Some(summary))) => return Ok(summary),
        (Ok(()), Ok(None)) => Err(ResponseError::new(Code::BadRequest, "the body ended too soon")),
        (Ok(()), Err(error)) => Err(error.into()),
    };
    // The refusal matters more than a file that the next start sweeps away.
    let _ = tokio::fs::remove_file(&path).await;
    result
}

/// Reads the body to its end, even when the writer has seen enough: a client that is still sending misses the answer.
async fn read(body: Body, limit: usize, parts: &mpsc::Sender<Part>) -> Result<(), ResponseError> {
    let mut body = Limited::new(body, limit);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => ResponseError::payload_too_large(limit as u64),
            false => ResponseError::new(Code::BadRequest, format!("error reading the body: {error}")),
        })?;
        if let Ok(chunk) = frame.into_data() {
            // The writer is gone once it has refused the payload; what it found is told by itself.
            let _ = parts.send(Part::Chunk(chunk)).await;
        }
    }
    let _ = parts.send(Part::End).await;
    Ok(())
}

/// Writes what comes in; `None` when it broke off before its end.
fn write(
    format: Format,
    path: &Path,
    mut parts: mpsc::Receiver<Part>,
) -> Result<Option<Summary>, IntakeError> {
    let mut intake = Intake::new(format, File::create(path)?).allow_internal_field();
    while let Some(part) = parts.blocking_recv() {
        match part {
            Part::Chunk(chunk) => intake.push(&chunk)?,
            Part::End => {
                let (summary, file) = intake.finish()?;
                // A task must find its documents after a power cut, too.
                file.sync_data()?;
                return Ok(Some(summary));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use miroir_payload::Format;

    use super::receive;

    async fn received(format: Format, payload: &'static str, limit: usize) -> Result<String, String> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("payload");
        let result = receive(Body::from(payload), format, path.clone(), limit).await;
        let written = std::fs::read_to_string(&path).ok();
        match result {
            Ok(summary) => {
                let written = written.expect("a file");
                assert_eq!(summary.bytes, written.len() as u64);
                Ok(written)
            }
            Err(error) => {
                assert_eq!(written, None, "a refused payload leaves nothing behind");
                Err(error.code_name().to_owned())
            }
        }
    }

    #[tokio::test]
    async fn documents_are_kept_one_after_another() {
        let written = received(Format::Json, r#"[{"id":1}, {"_miroir":2}]"#, 100).await;
        assert_eq!(written.as_deref(), Ok("{\"id\":1}\n{\"_miroir\":2}\n"));
    }

    #[tokio::test]
    async fn refused_payload_leaves_no_file() {
        assert_eq!(received(Format::Ndjson, "{bad", 100).await, Err("malformed_payload".to_owned()));
        assert_eq!(received(Format::Json, "", 100).await, Err("missing_payload".to_owned()));
        assert_eq!(received(Format::Json, r#"[{"id":1}]"#, 5).await, Err("payload_too_large".to_owned()));
    }
}
