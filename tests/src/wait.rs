//! Waiting with an end.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(120);

const LOOK: Duration = Duration::from_millis(10);

/// Looks again and again until there is something, and fails the test when there is nothing for too long.
pub fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_within(DEADLINE, what, look)
}

/// The same where something may take so long.
pub fn eventually_within<T>(most: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < most, "{what}: not within {most:?}");
        thread::sleep(LOOK);
    }
}
