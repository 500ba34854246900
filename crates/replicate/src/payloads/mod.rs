//! The documents of entries: looked through once, cut out for each node.

mod piece;
mod split;

use std::{
    collections::BTreeMap,
    sync::Arc,
};

use miroir_log::{Log, LogError, PayloadRef};
use miroir_payload::{PrimaryKey, Split, SplitError, infer_primary_key, parts};
use miroir_protocol::error::ResponseError;
use miroir_shard::SlotSet;
use parking_lot::Mutex;
use tokio::task::spawn_blocking;

pub(crate) use self::piece::Piece;
use self::{piece::Source, split::StoredSplit};
use crate::work::Work;

/// The largest request a node is sent: well below Meilisearch's own default limit.
const LARGEST_PIECE: u64 = 32 << 20;
/// How many payloads' indexes are kept for the appliers that have not come to them.
const KEPT: usize = 512;

/// Why a payload cannot be looked through.
#[derive(Debug)]
pub(crate) enum PayloadError {
    /// A document is wrong: the task fails with this.
    Document(ResponseError),
    /// It cannot be read.
    Log(LogError),
}

/// Gives access to payloads and keeps what was found in them.
pub(crate) struct Payloads {
    log: Arc<dyn Log>,
    splits: Mutex<BTreeMap<u32, Arc<StoredSplit>>>,
}

impl Payloads {
    pub(crate) fn new(log: Arc<dyn Log>) -> Self {
        split::sweep(log.spool().directory());
        Self { log, splits: Mutex::default() }
    }

    /// The primary key that the first document suggests.
    pub(crate) async fn infer_primary_key(&self, payload: &PayloadRef) -> Result<Option<String>, PayloadError> {
        let reader = self.log.open_payload(payload).await?;
        blocking(move || infer_primary_key(reader).map_err(PayloadError::from)).await
    }

    /// Finds every document's slot and keeps that for the appliers; or the first document that is wrong.
    pub(crate) async fn split(
        &self,
        uid: u32,
        payload: &PayloadRef,
        primary_key: &str,
    ) -> Result<Arc<StoredSplit>, PayloadError> {
        if let Some(split) = self.splits.lock().get(&uid) {
            return Ok(split.clone());
        }
        let reader = self.log.open_payload(payload).await?;
        let (directory, bytes) = (self.log.spool().directory().to_owned(), payload.bytes);
        let key = primary_key.to_owned();
        let split = blocking(move || {
            let writer = StoredSplit::create(&directory, uid, bytes).map_err(LogError::from)?;
            writer.fill(Split::new(reader, PrimaryKey::new(&key)))
        })
        .await?;
        let split = Arc::new(split);
        let mut splits = self.splits.lock();
        splits.insert(uid, split.clone());
        while splits.len() > KEPT {
            splits.pop_first();
        }
        Ok(split)
    }

    /// What a node that owns `slots` gets of a group of entries: requests of a bounded size, in order; none where it
    /// gets nothing. Several entries are small and go into one.
    pub(crate) async fn pieces(
        &self,
        group: &[Work],
        slots: &Arc<SlotSet>,
        code_bits: u32,
    ) -> Result<Vec<Piece>, LogError> {
        let mut pieces: Vec<Piece> = Vec::new();
        for work in group {
            let Some(payload) = work.entry.operation.payload() else { continue };
            let key = work.prepared.effect().and_then(|effect| effect.primary_key.clone()).unwrap_or_default();
            let split = match self.split(work.uid(), payload, &key).await {
                Ok(split) => split,
                Err(PayloadError::Log(error)) => return Err(error),
                Err(PayloadError::Document(error)) => {
                    return Err(LogError::Damaged(format!("payload of {} has changed: {error}", work.uid())));
                }
            };
            let wanted = slots.clone();
            let opened = split.clone();
            let found = blocking(move || {
                Ok::<_, PayloadError>(
                    parts(&mut opened.open()?, code_bits, LARGEST_PIECE, |slot| wanted.contains(slot))
                        .map_err(LogError::from)?,
                )
            });
            let found = found.await.map_err(PayloadError::into_log)?;
            let source = Source::new(self.log.spool().clone(), payload.clone(), split, slots.clone(), work.uid(), code_bits);
            for part in found {
                match pieces.last_mut() {
                    Some(piece) if group.len() > 1 => piece.push(source.with_part(part)),
                    _ => pieces.push(Piece::of(source.with_part(part))),
                }
            }
        }
        Ok(pieces)
    }
}

/// Runs what reads files where that may block.
async fn blocking<T: Send + 'static, E: From<LogError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(LogError::Closed.into()),
        },
    }
}

impl PayloadError {
    fn into_log(self) -> LogError {
        match self {
            Self::Log(error) => error,
            Self::Document(error) => LogError::Damaged(error.to_string()),
        }
    }
}

impl From<LogError> for PayloadError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<SplitError> for PayloadError {
    fn from(error: SplitError) -> Self {
        match error {
            SplitError::Io(error) => Self::Log(error.into()),
            error => Self::Document(error.into()),
        }
    }
}
