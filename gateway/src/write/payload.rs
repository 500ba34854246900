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
use crate::{
    intake::{content_type, next},
    room::Held,
};

/// How much longer documents may be than the longest payload. CSV's repeat the names of the columns.
const UNFOLDED: u64 = 16;

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
    held: Held,
    key: &mut Option<WriteKey>,
) -> Result<PayloadRef, Refused> {
    let intake = Intake::new(format, spool.create()).limit(max.saturating_mul(UNFOLDED));
    let mut pump = Pump::new(Weighed { intake, held }, feed);
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

/// A payload that is being checked, and the memory that this takes.
struct Weighed {
    intake: Intake<SpoolFile>,
    held: Held,
}

/// Why a payload is not taken.
enum Failed {
    Intake(IntakeError),
    /// It takes more memory than there is.
    Held(ResponseError),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Intake(error.into())
    }
}

fn feed(weighed: &mut Weighed, chunk: &[u8]) -> Result<(), Failed> {
    weighed.intake.push(chunk).map_err(Failed::Intake)?;
    weighed.held.set(weighed.intake.held()).map_err(Failed::Held)
}

fn end(weighed: Weighed) -> Result<PayloadRef, Failed> {
    let (summary, mut file) = weighed.intake.finish().map_err(Failed::Intake)?;
    file.flush()?;
    file.finish(summary.documents).map_err(|error| {
        Failed::from(match error {
            SpoolError::Full => io::ErrorKind::StorageFull.into(),
            SpoolError::Io(error) => error,
            error => io::Error::other(error),
        })
    })
}

fn refused(error: Failed) -> Refused {
    let error = match error {
        Failed::Intake(error) => error,
        Failed::Held(error) => return Refused::Payload(error),
    };
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
