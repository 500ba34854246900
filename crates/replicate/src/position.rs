//! A position in the log that others wait for.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Notify, futures::Notified};

/// How far something has come. Unlike those of tokio's `watch`, whoever waits is woken in the order of waiting and not in a
/// random one: a simulation with many appliers goes the same way each time.
#[derive(Debug)]
pub(crate) struct Position {
    value: AtomicU32,
    moved: Notify,
}

impl Position {
    pub(crate) fn new(value: u32) -> Self {
        Self { value: AtomicU32::new(value), moved: Notify::new() }
    }

    pub(crate) fn get(&self) -> u32 {
        self.value.load(Ordering::Acquire)
    }

    /// Puts it anywhere, and wakes everybody.
    pub(crate) fn set(&self, value: u32) {
        self.value.store(value, Ordering::Release);
        self.moved.notify_waiters();
    }

    /// Waits for the next time that it is set, from this call on.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.moved.notified()
    }

    /// Waits until it is greater than this.
    pub(crate) async fn pass(&self, value: u32) {
        loop {
            let changed = self.changed();
            if self.get() > value {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_once_it_is_passed() {
        let position = Position::new(3);
        position.pass(2).await;
        let mut waiting = Box::pin(position.pass(4));
        assert!((&mut waiting).now_or_never().is_none());
        position.set(4);
        assert!((&mut waiting).now_or_never().is_none());
        position.set(5);
        assert!((&mut waiting).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_change_before_the_wait_counts_and_one_before_the_call_does_not() {
        let position = Position::new(0);
        position.set(1);
        let changed = position.changed();
        position.set(1);
        changed.await;
        assert!(position.changed().now_or_never().is_none());
    }
}
