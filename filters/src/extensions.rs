//! What filters hand on to each other and to the services around them: typed extensions of requests and answers.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::HeaderValue;
use tokio::time::Instant;

/// The id of a request: unique, and safe to print and to send on.
///
/// Set by the filter `request_id`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

/// The other end of the connection, as the listener sees it.
///
/// Set by whoever owns the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// Who a request comes from, as far as it has been proved.
///
/// Set by the filter `auth`; a request without it has not been checked at all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Identity {
    /// Nobody had to be proved: a public path, or no master key is set.
    Anonymous,
    /// The bearer of the master key.
    MasterKey,
    /// The bearer of the API key with this uid, or of a tenant token that it has signed.
    Key(uuid::Uuid),
}

/// The code of the error that an answer reports. An extension of answers.
///
/// Set where errors are turned into answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub String);

/// The answer is to everybody who asks the same and may see the same, until the [epoch](crate::Epoch) changes. An extension
/// of answers.
///
/// Set by whoever answers searches, where nothing is missing and nothing was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reusable;

/// When a request has to be answered. Clones are of the same deadline, and all see it move.
///
/// Set by the filter `deadline`. Read it when work begins: it moves on while the request's body is coming in.
#[derive(Clone, Debug)]
pub struct Deadline {
    began: Instant,
    timeout: Duration,
    /// When the last piece of the body came in, in milliseconds from the beginning.
    moved: Arc<AtomicU64>,
}

// === impl RequestId ===

impl RequestId {
    /// The longest id that is accepted, in bytes.
    pub const MAX_LENGTH: usize = 128;

    /// Takes an id from outside: letters, digits and `-_.:+/=@` only, and at most [`Self::MAX_LENGTH`] of them, so
    /// that it can be put into logs, headers and file names as it is.
    pub fn from_client(value: &HeaderValue) -> Option<Self> {
        let safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=@".contains(byte);
        let bytes = value.as_bytes();
        let accepted = !bytes.is_empty() && bytes.len() <= Self::MAX_LENGTH && bytes.iter().all(safe);
        accepted.then(|| Self(value.clone()))
    }

    /// A new one: a UUID of version 7, whose random part comes from the thread's own generator, which asks the system only
    /// now and then.
    pub fn random() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let uuid = uuid::Builder::from_unix_timestamp_millis(milliseconds, &rand::random()).into_uuid();
        let mut buffer = uuid::Uuid::encode_buffer();
        let text: &str = uuid.hyphenated().encode_lower(&mut buffer);
        Self(HeaderValue::from_str(text).expect("a UUID is hexadecimal digits and hyphens"))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The id as the value of a header.
    pub fn header_value(&self) -> &HeaderValue {
        &self.0
    }
}

// === impl Deadline ===

impl Deadline {
    /// So long from now; a year at most, so that the clock does not overflow.
    pub fn within(timeout: Duration) -> Self {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        Self { began: Instant::now(), timeout: timeout.min(YEAR), moved: Arc::default() }
    }

    /// The time allowed, from the last piece of the request's body.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When it is.
    pub fn at(&self) -> Instant {
        self.began + Duration::from_millis(self.moved.load(Ordering::Relaxed)) + self.timeout
    }

    /// What is left until then.
    pub fn remaining(&self) -> Duration {
        self.at().saturating_duration_since(Instant::now())
    }

    /// Starts the time again.
    pub(crate) fn renew(&self) {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved.fetch_max(elapsed, Ordering::Relaxed);
    }
}
