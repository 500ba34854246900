//! Places where tests make the log fail or die. Without the feature `failpoints` they are nothing.

#[cfg(feature = "failpoints")]
pub use self::on::{Action, Failpoints};

#[cfg(not(feature = "failpoints"))]
pub(crate) use self::off::Failpoints;

#[cfg(feature = "failpoints")]
mod on {
    use std::{collections::HashMap, io, sync::Arc};

    use parking_lot::Mutex;

    use crate::error::{LogError, Result};

    /// What happens at a failpoint.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Action {
        /// The disk is full.
        Full,
        /// The disk fails.
        Fail,
        /// The log stops where it is, as if the program had ended there.
        Stop,
        /// The process dies.
        Abort,
    }

    /// The failpoints of one log. Clones share them.
    #[derive(Debug, Clone, Default)]
    pub struct Failpoints {
        armed: Arc<Mutex<HashMap<String, (Action, usize)>>>,
        passed: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Failpoints {
        /// Every failpoint there is, in the order a write passes them.
        pub const ALL: [&'static str; 9] = [
            "spool.write",
            "spool.flush",
            "spool.sync",
            "spool.synced",
            "write.begin",
            "write.applied",
            "write.commit",
            "write.committed",
            "write.published",
        ];

        /// Acts once at `point`, after it was passed `after` times.
        pub fn arm(&self, point: &str, action: Action, after: usize) {
            self.armed.lock().insert(point.to_owned(), (action, after));
        }

        /// The points passed so far, each once.
        pub fn passed(&self) -> Vec<&'static str> {
            self.passed.lock().clone()
        }

        pub(crate) fn hit(&self, point: &'static str) -> Result<()> {
            match self.act(point) {
                None => Ok(()),
                Some(Action::Full) => Err(LogError::StorageFull),
                Some(Action::Fail) => Err(LogError::Io(io::Error::other(point))),
                Some(Action::Stop) => Err(LogError::Closed),
                Some(Action::Abort) => std::process::abort(),
            }
        }

        pub(crate) fn io(&self, point: &'static str) -> io::Result<()> {
            match self.act(point) {
                None => Ok(()),
                Some(Action::Full) => Err(io::ErrorKind::StorageFull.into()),
                Some(Action::Fail | Action::Stop) => Err(io::Error::other(point)),
                Some(Action::Abort) => std::process::abort(),
            }
        }

        fn act(&self, point: &'static str) -> Option<Action> {
            let mut passed = self.passed.lock();
            if !passed.contains(&point) {
                passed.push(point);
            }
            let mut armed = self.armed.lock();
            let (action, after) = armed.get_mut(point)?;
            if *after > 0 {
                *after -= 1;
                return None;
            }
            let action = *action;
            armed.remove(point);
            Some(action)
        }
    }
}

#[cfg(not(feature = "failpoints"))]
mod off {
    use std::io;

    use crate::error::Result;

    #[derive(Debug, Clone, Default)]
    pub(crate) struct Failpoints {}

    impl Failpoints {
        #[inline(always)]
        pub(crate) fn hit(&self, _point: &'static str) -> Result<()> {
            Ok(())
        }

        #[inline(always)]
        pub(crate) fn io(&self, _point: &'static str) -> io::Result<()> {
            Ok(())
        }
    }
}
