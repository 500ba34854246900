//! A payload of documents, streamed into the spool.

use std::io::{self, Write};

use bytes::Bytes;
use http::HeaderMap;
use miroir_filters::{Body, BoxError};
use miroir_log::{PayloadRef, Pump, Spool, SpoolError, SpoolFile};
use miroir_payload::{Format, Intake, IntakeError};
use miroir_protocol::{
    content_type::DocumentFormat,
    error::{Code, ResponseError},
};

use super::once::WriteKey;
use crate::intake::{content_type, next};

/// Why a payload was not taken.
pub(crate) enum Refused {
    /// It is the payload's fault, or the disk's.
    Payload(ResponseError),
    /// The body could not be read: its errors are told elsewhere.
    Body(BoxError),
}

/// The format that a request says its body has.
pub(crate) fn format(headers: &HeaderMap, csv_delimiter: Option<u8>) -> Result<Format, ResponseError> {
    Ok(match DocumentFormat::of(content_type(headers), csv_delimiter)? {
        DocumentFormat::Json => Format::Json,
        DocumentFormat::Ndjson => Format::Ndjson,
        DocumentFormat::Csv { delimiter } => Format::Csv { delimiter },
    })
}

/// Streams a body into the spool, checking it on the way. Nothing is left behind where it is refused.
pub(crate) async fn take(
    mut body: Body,
    format: Format,
    spool: &Spool,
    max: u64,
    key: &mut Option<WriteKey>,
) -> Result<PayloadRef, Refused> {
    let intake = Intake::new(format, spool.create());
    let mut pump = Pump::new(intake, feed);
    let mut received = 0;
    while let Some(chunk) = next(&mut body).await.map_err(Refused::Body)? {
        received += chunk.len() as u64;
        if received > max {
            return Err(Refused::Payload(ResponseError::payload_too_large(max)));
        }
        if let Some(key) = key {
            key.update(&chunk);
        }
        pump.push(Bytes::clone(&chunk)).await.map_err(refused)?;
    }
    pump.finish(end).await.map_err(refused)
}

fn feed(intake: &mut Intake<SpoolFile>, chunk: &[u8]) -> Result<(), IntakeError> {
    intake.push(chunk)
}

fn end(intake: Intake<SpoolFile>) -> Result<PayloadRef, IntakeError> {
    let (summary, mut file) = intake.finish()?;
    file.flush()?;
    file.finish(summary.documents).map_err(|error| {
        IntakeError::Io(match error {
            SpoolError::Full => io::ErrorKind::StorageFull.into(),
            SpoolError::Io(error) => error,
            error => io::Error::other(error),
        })
    })
}

fn refused(error: IntakeError) -> Refused {
    if let IntakeError::Io(error) = &error {
        tracing::error!(%error, "payload cannot be spooled");
    }
    let full = matches!(&error, IntakeError::Io(error) if is_full(error));
    Refused::Payload(if full {
        ResponseError::new(Code::MiroirStorageFull, "The disk is full: the write was not taken. Reads go on.")
    } else {
        ResponseError::from(error)
    })
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
