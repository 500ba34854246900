//! The documents of entries: looked through once, cut out for each node.

mod cache;
mod doubts;
mod piece;
mod split;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use miroir_log::{Log, LogError, Operation, PayloadReader, PayloadRef, Selection};
use miroir_payload::{Part, Rules, SplitError, infer_primary_key, parts};
use miroir_protocol::error::{Code, ResponseError};
use miroir_shard::{Slot, SlotSet};
use tokio::task::spawn_blocking;

use self::{
    cache::SplitCache,
    piece::Source,
    split::{StoredSplit, Writing},
};
pub(crate) use self::{
    doubts::{Doubtful, Open},
    piece::{Document, Piece},
};
use crate::work::Work;

/// The largest request a node is sent: well below Meilisearch's own default limit. A node's tags count pieces of this
/// size, so that a version with another one would take up half-sent payloads wrongly.
const LARGEST_PIECE: u64 = 32 << 20;
/// A payload of up to this size is looked through where it is needed: that takes less than going to another thread does.
const SMALL_PAYLOAD: usize = 16 << 10;
/// An index of up to this size is looked through where it is needed: some thousands of documents.
const SMALL_INDEX: usize = 64 << 10;

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
    splits: SplitCache,
}

impl Payloads {
    pub(crate) fn new(log: Arc<dyn Log>) -> Self {
        split::sweep(log.spool().directory());
        Self { log, splits: SplitCache::default() }
    }

    /// The primary key that the first document suggests.
    pub(crate) async fn infer_primary_key(
        &self,
        payload: &PayloadRef,
    ) -> Result<Option<String>, PayloadError> {
        let reader = self.log.open_payload(payload).await?;
        let small = is_small(&reader);
        let infer = move || {
            let mut checked = reader.checked();
            let inferred = infer_primary_key(&mut checked);
            // What is damaged may look wrong.
            if inferred.is_err() {
                checked.finish().map_err(LogError::from)?;
            }
            inferred.map_err(PayloadError::from)
        };
        if small { guarded(infer) } else { blocking(infer).await }
    }

    /// Finds every document's slot and keeps that for the appliers, looking at the documents by these rules where they
    /// matter; or the first document that is wrong.
    pub(crate) async fn split(
        &self,
        uid: u32,
        payload: &PayloadRef,
        primary_key: &str,
        rules: Option<&Arc<Rules>>,
    ) -> Result<Arc<StoredSplit>, PayloadError> {
        let make = async || {
            let reader = self.log.open_payload(payload).await?;
            let (directory, bytes) = (self.log.spool().directory().to_owned(), payload.bytes);
            let (key, rules) = (primary_key.to_owned(), rules.cloned().unwrap_or_default());
            let small = is_small(&reader);
            let look = move || {
                let writing = Writing::create(&directory, uid, bytes).map_err(LogError::from)?;
                let mut checked = reader.checked();
                let filled = writing.fill(&mut checked, &key, rules);
                // What is damaged may look wrong, or right.
                checked.finish().map_err(LogError::from)?;
                filled
            };
            if small { guarded(look) } else { blocking(look).await }
        };
        let fits = |split: &StoredSplit| split.is_of(primary_key, rules.map(Arc::as_ref));
        self.splits.get(uid, fits, make).await
    }

    /// Whether an entry concerns documents of these slots in an index, or may: what is not tied to single documents
    /// concerns all of them.
    pub(crate) async fn concerns(
        &self,
        work: &Work,
        index: &str,
        slots: &Arc<SlotSet>,
    ) -> Result<bool, LogError> {
        if !work.prepared.is_sent() {
            return Ok(false);
        }
        let names = |uid: &Option<String>| uid.as_deref() == Some(index);
        match &work.entry.operation {
            Operation::IndexSwap { swaps } => {
                Ok(swaps.iter().any(|swap| swap.indexes.0 == index || swap.indexes.1 == index))
            }
            Operation::IndexUpdate { new_uid, .. } => Ok(names(&work.entry.index_uid) || names(new_uid)),
            _ if !names(&work.entry.index_uid) => Ok(false),
            Operation::SettingsUpdate { .. } | Operation::IndexCreation { .. } => Ok(false),
            Operation::DocumentDeletion { selection: Selection::ByIds { ids } } => {
                Ok(ids.iter().any(|id| slots.contains(Slot::of(id))))
            }
            Operation::DocumentAdditionOrUpdate { .. } => {
                match self.pieces(std::slice::from_ref(work), slots, 0).await {
                    Err(error) if error.is_lost_payload() => Ok(true),
                    pieces => Ok(!pieces?.is_empty()),
                }
            }
            _ => Ok(true),
        }
    }

    /// The slots of an entry's documents.
    pub(crate) async fn slots(&self, work: &Work) -> Result<SlotSet, LogError> {
        let Some((payload, split)) = self.split_of(work).await? else { return Ok(SlotSet::default()) };
        let find = move || {
            let records = split.open()?;
            records.map(|record| Ok(record?.slot)).collect::<Result<SlotSet, LogError>>()
        };
        if payload.bytes <= SMALL_PAYLOAD as u64 { find() } else { blocking(find).await }
    }

    /// The payload of an entry that is decided, and what was found in it.
    async fn split_of<'a>(
        &self,
        work: &'a Work,
    ) -> Result<Option<(&'a PayloadRef, Arc<StoredSplit>)>, LogError> {
        let Some(payload) = work.entry.operation.payload() else { return Ok(None) };
        let key = work.prepared.effect().and_then(|effect| effect.primary_key.as_deref()).unwrap_or_default();
        // The index of one that was lost meanwhile may still be known.
        self.log.open_payload(payload).await?;
        match self.split(work.uid(), payload, key, None).await {
            Ok(split) => Ok(Some((payload, split))),
            Err(PayloadError::Log(error)) => Err(error),
            Err(PayloadError::Document(error)) => {
                Err(LogError::Damaged(format!("payload of {} has changed: {error}", work.uid())))
            }
        }
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
            let Some((payload, split)) = self.split_of(work).await? else { continue };
            let found = parts_for(&split, slots, code_bits).await?;
            let spool = self.log.spool().clone();
            let source = Source::new(spool, payload.clone(), split, slots.clone(), work.uid(), code_bits);
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

/// The parts of a payload that a node which owns `slots` gets.
async fn parts_for(
    split: &Arc<StoredSplit>,
    slots: &Arc<SlotSet>,
    code_bits: u32,
) -> Result<Vec<Part>, LogError> {
    let (opened, slots) = (split.clone(), slots.clone());
    let find = move || {
        let mut index = opened.open()?;
        Ok(parts(&mut index, code_bits, LARGEST_PIECE, |slot| slots.contains(slot))?)
    };
    // What is small and in memory takes less than going to another thread does.
    if (1..=SMALL_INDEX).contains(&split.in_memory()) { find() } else { blocking(find).await }
}

/// What the task of a write fails with whose documents are lost.
pub(crate) fn payload_lost(error: &LogError) -> ResponseError {
    let text =
        format!("The documents of this task were lost on the gateway's disk: {error}. Send them again.");
    ResponseError::new(Code::MiroirPayloadLost, text)
}

/// Whether a payload is in memory and short.
fn is_small(payload: &PayloadReader) -> bool {
    payload.as_bytes().is_some_and(|bytes| bytes.len() <= SMALL_PAYLOAD)
}

/// Runs what does not block. A panic is an error here too.
fn guarded<T, E: From<LogError>>(work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(LogError::Damaged("reading a payload: panicked".to_owned()).into()))
}

/// Runs what reads files where that may block. A panic there is an error here, so that what waits for it goes on.
async fn blocking<T: Send + 'static, E: From<LogError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => {
            Err(LogError::Damaged(format!("reading a payload: {error}")).into())
        }
        Err(_) => Err(LogError::Closed.into()),
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
