//! How much memory requests may take together. Bodies stream where they can; what has to be there as a whole (a search, the
//! settings, one document) is counted here, so that many large ones, or a few that were packed small, cannot take it all.

use std::sync::Arc;

use miroir_protocol::error::{Code, ResponseError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What each request may take without being counted: nearly all take less.
const FREE: u64 = 64 << 10;
/// What is counted in, in bytes.
const UNIT: u64 = 1 << 10;

/// How often a byte of a text is there at once: as it came, as it was understood, as it goes to the nodes.
const PER_BYTE: u64 = 4;
/// What a value takes beside its text.
const PER_VALUE: u64 = 128;

/// The room for all requests together; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Room {
    free: Arc<Semaphore>,
    units: u32,
}

/// What one request takes of it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    room: Room,
    permit: Option<OwnedSemaphorePermit>,
}

/// What the parameters in this piece of a JSON text will take, roughly: many small values take far more than their text.
pub(crate) fn weight(text: &[u8]) -> u64 {
    let values = text.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
    text.len() as u64 * PER_BYTE + values as u64 * PER_VALUE
}

// === impl Room ===

impl Room {
    /// Room for so many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Nothing of it, to begin with.
    pub(crate) fn held(&self) -> Held {
        Held { room: self.clone(), permit: None }
    }
}

// === impl Held ===

impl Held {
    /// From now on so many bytes are taken. Nobody waits for room: who holds some would wait for others who do.
    pub(crate) fn set(&mut self, bytes: u64) -> Result<(), ResponseError> {
        let wanted = u32::try_from(bytes.saturating_sub(FREE).div_ceil(UNIT)).unwrap_or(u32::MAX);
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) as u32;
        if wanted > self.room.units {
            return Err(ResponseError::new(
                Code::PayloadTooLarge,
                "The request would take more memory than the gateway has for requests. Send it in smaller parts.",
            ));
        }
        if let Some(more) = wanted.checked_sub(held).filter(|more| *more > 0) {
            let more = self.room.free.clone().try_acquire_many_owned(more).map_err(|_| {
                let message = "Too many large requests are running at the same time. Retry later.";
                ResponseError::new(Code::MiroirOverloaded, message)
            })?;
            match &mut self.permit {
                Some(permit) => permit.merge(more),
                None => self.permit = Some(more),
            }
        } else if let Some(permit) = &mut self.permit {
            drop(permit.split((held - wanted) as usize));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn small_requests_take_nothing_and_large_ones_what_is_there() {
        let room = Room::new(10 * MIB);
        let (mut large, mut small, mut second) = (room.held(), room.held(), room.held());
        large.set(9 * MIB).expect("room");
        small.set(FREE).expect("free");
        assert_eq!(second.set(3 * MIB).expect_err("taken").code(), Some(Code::MiroirOverloaded));
        second.set(MIB).expect("the rest");
        large.set(MIB).expect("less");
        second.set(8 * MIB).expect("what was given back");
        drop((large, second));
        assert_eq!(room.free.available_permits(), 10 * 1024);
    }

    #[test]
    fn what_could_never_have_room_is_told_so() {
        let error = Room::new(MIB).held().set(100 * MIB).expect_err("too large");
        assert_eq!(error.code(), Some(Code::PayloadTooLarge));
        Room::new(u64::MAX).held().set(u64::MAX).expect("room for everything");
    }

    #[test]
    fn many_values_weigh_more_than_their_text() {
        let (text, values) = (vec![b'a'; 1000], b"1,".repeat(500));
        assert_eq!(weight(&text), 4000);
        assert_eq!(weight(&values), 4000 + 500 * PER_VALUE);
    }
}
