//! How to open the log.

use std::{fmt, path::PathBuf, sync::Arc};

use time::OffsetDateTime;

use crate::failpoints::Failpoints;

/// Tells the time.
pub(super) type Clock = Arc<dyn Fn() -> OffsetDateTime + Send + Sync>;

/// Where the log is and how it behaves.
#[derive(Clone)]
pub struct SqliteOptions {
    pub(super) directory: PathBuf,
    pub(super) clock: Clock,
    pub(super) max_bytes: Option<u64>,
    pub(super) in_line: bool,
    pub(super) failpoints: Failpoints,
}

// === impl SqliteOptions ===

impl SqliteOptions {
    /// The log in this directory, which is created if it does not exist.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            clock: Arc::new(OffsetDateTime::now_utc),
            max_bytes: None,
            in_line: false,
            failpoints: Failpoints::default(),
        }
    }

    /// Takes the time from `clock` instead of the system.
    pub fn clock(mut self, clock: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Acts as if the disk had room for no more than so many bytes of the database.
    #[cfg(feature = "failpoints")]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Has every call done by whoever makes it, without threads and without waiting for the disk: for simulations, which
    /// must go the same way each time.
    #[cfg(feature = "failpoints")]
    pub fn in_line(mut self) -> Self {
        self.in_line = true;
        self
    }

    /// Fails at the points that are armed in `failpoints`.
    #[cfg(feature = "failpoints")]
    pub fn failpoints(mut self, failpoints: &Failpoints) -> Self {
        self.failpoints = failpoints.clone();
        self
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions").field("directory", &self.directory).finish_non_exhaustive()
    }
}
