//! What filters hand on to each other and to the services behind them: typed request extensions.

use std::net::SocketAddr;

use http::HeaderValue;

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

    /// An id made here.
    pub fn from_uuid(uuid: uuid::Uuid) -> Self {
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
