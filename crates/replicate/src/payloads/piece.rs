//! The body of one request to a node.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use miroir_log::{LogError, PayloadReader, PayloadRef, Spool};
use miroir_nodes::{Body, BoxError, full};
use miroir_payload::{First, Frames, Part, PrimaryKey, id_hash, part_ids};
use miroir_shard::{Sequence, Slot, SlotSet};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{
    SMALL_PAYLOAD, blocking,
    split::{Opened, StoredSplit},
};

/// Bodies up to this size are put together in memory, longer ones are read while they are sent.
const IN_MEMORY: u64 = 256 << 10;
/// How many chunks of 64 KiB wait to be sent.
const AHEAD: usize = 4;

/// What one node gets of a payload, or a part of that.
#[derive(Clone, Debug)]
pub(super) struct Source {
    spool: Spool,
    payload: PayloadRef,
    split: Arc<StoredSplit>,
    slots: Arc<SlotSet>,
    uid: u32,
    code_bits: u32,
    part: Part,
    /// The documents that the node has already.
    firsts: Vec<First>,
}

/// A body, which can be produced again for another try.
#[derive(Debug)]
pub(crate) struct Piece(Vec<Source>);

/// The documents of a piece, in their order.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    texts: String,
    documents: Vec<Document>,
}

/// A document of a piece.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document {
    /// Where it is written now.
    pub(crate) place: Sequence,
    /// What stands for its id.
    pub(crate) hash: u64,
    pub(crate) slot: Slot,
    source: usize,
    /// Where its id ends in the texts.
    end: usize,
}

// === impl Source ===

impl Source {
    pub(super) fn new(
        spool: Spool,
        payload: PayloadRef,
        split: Arc<StoredSplit>,
        slots: Arc<SlotSet>,
        uid: u32,
        code_bits: u32,
    ) -> Self {
        let part = Part { first: 0, end: 0, documents: 0, bytes: 0 };
        Self { spool, payload, split, slots, uid, code_bits, part, firsts: Vec::new() }
    }

    pub(super) fn with_part(&self, part: Part) -> Self {
        Self { part, ..self.clone() }
    }

    fn frames(&self) -> Result<Frames<PayloadReader, Opened, impl FnMut(Slot) -> bool + use<>>, LogError> {
        let slots = self.slots.clone();
        let wants = move |slot| slots.contains(slot);
        let spool = self.spool.open(&self.payload)?;
        let frames = Frames::new(spool, self.split.open()?, self.part, self.uid, self.code_bits, wants)?;
        Ok(frames.with_firsts(self.firsts.clone()))
    }

    fn ids(&self, see: impl FnMut(u32, &str)) -> Result<(), LogError> {
        let (spool, mut index) = (self.spool.open(&self.payload)?, self.split.open()?);
        Ok(part_ids(spool, &mut index, self.part, |slot| self.slots.contains(slot), see)?)
    }
}

// === impl Piece ===

impl Piece {
    pub(super) fn of(source: Source) -> Self {
        Self(vec![source])
    }

    pub(super) fn push(&mut self, source: Source) {
        self.0.push(source);
    }

    fn bytes(&self) -> u64 {
        self.0.iter().map(|source| source.part.bytes).sum()
    }

    /// The path of the ids.
    pub(crate) fn primary_key(&self) -> PrimaryKey {
        PrimaryKey::new(self.0.first().map(|source| source.split.primary_key()).unwrap_or_default())
    }

    /// The documents in it.
    pub(crate) async fn ids(&self) -> Result<Ids, LogError> {
        let sources = self.0.clone();
        let find = move || {
            let mut ids = Ids::default();
            for (number, source) in sources.iter().enumerate() {
                source.ids(|ordinal, id| ids.push(number, Sequence { task: source.uid, ordinal }, id))?;
            }
            Ok(ids)
        };
        if self.bytes() <= SMALL_PAYLOAD as u64 { find() } else { blocking(find).await }
    }

    /// Lets a document keep the place of its first write; called in the order of the documents.
    pub(crate) fn keep(&mut self, document: &Document, place: Sequence) {
        if let Some(source) = self.0.get_mut(document.source) {
            source.firsts.push(First { ordinal: document.place.ordinal, place });
        }
    }

    /// The body, as NDJSON.
    pub(crate) fn body(&self) -> Result<Body, LogError> {
        if self.bytes() > IN_MEMORY {
            return Ok(streamed(self.0.clone()));
        }
        let mut whole = BytesMut::new();
        for source in &self.0 {
            for chunk in source.frames()? {
                whole.extend_from_slice(&chunk?);
            }
        }
        Ok(full(whole.freeze()))
    }
}

// === impl Ids ===

impl Ids {
    fn push(&mut self, source: usize, place: Sequence, id: &str) {
        self.texts.push_str(id);
        let (hash, slot) = (id_hash(id), Slot::of(id));
        self.documents.push(Document { place, hash, slot, source, end: self.texts.len() });
    }

    /// The documents, in their order.
    pub(crate) fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// The documents with their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Document, &str)> {
        let mut start = 0;
        self.documents.iter().map(move |document| {
            let id = self.texts.get(start..document.end).unwrap_or_default();
            start = document.end;
            (document, id)
        })
    }
}

/// Read on a blocking thread, no further ahead than the node takes it.
fn streamed(sources: Vec<Source>) -> Body {
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(AHEAD);
    spawn_blocking(move || {
        for source in sources {
            let frames = match source.frames() {
                Ok(frames) => frames,
                Err(error) => {
                    // Nobody waits for it any more where this fails.
                    let _ = sender.blocking_send(Err(io::Error::other(error)));
                    return;
                }
            };
            for chunk in frames {
                if sender.blocking_send(chunk).is_err() {
                    return;
                }
            }
        }
    });
    let stream = futures_util::stream::poll_fn(move |cx| {
        receiver.poll_recv(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data).map_err(BoxError::from)))
    });
    StreamBody::new(stream).boxed_unsync()
}

#[cfg(test)]
impl Document {
    /// One with this id.
    pub(crate) fn of(id: &str) -> Self {
        let place = Sequence { task: 0, ordinal: 0 };
        Self { place, hash: id_hash(id), slot: Slot::of(id), source: 0, end: 0 }
    }
}
