//! The body of one request to a node.

use std::{io, sync::Arc};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use miroir_log::{LogError, PayloadReader, PayloadRef, Spool};
use miroir_nodes::{Body, BoxError, full};
use miroir_payload::{Frames, Part};
use miroir_shard::{Slot, SlotSet};
use tokio::{sync::mpsc, task::spawn_blocking};

use super::split::{Opened, StoredSplit};

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
}

/// A body, which can be produced again for another try.
#[derive(Debug)]
pub(crate) struct Piece(Vec<Source>);

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
        Self { spool, payload, split, slots, uid, code_bits, part }
    }

    pub(super) fn with_part(&self, part: Part) -> Self {
        Self { part, ..self.clone() }
    }

    fn frames(&self) -> Result<Frames<PayloadReader, Opened, impl FnMut(Slot) -> bool + use<>>, LogError> {
        let slots = self.slots.clone();
        let wants = move |slot| slots.contains(slot);
        let spool = self.spool.open(&self.payload)?;
        Ok(Frames::new(spool, self.split.open()?, self.part, self.uid, self.code_bits, wants)?)
    }
}

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
