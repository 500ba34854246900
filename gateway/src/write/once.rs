//! Writes that a client may send again without their being done again: those with the header `Idempotency-Key`.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION, request::Parts};
use miroir_log::Once;
use miroir_protocol::error::{Code, ResponseError};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// The header.
const HEADER: &str = "idempotency-key";
/// The longest key.
const LONGEST: usize = 255;

/// The key of a write, and what the write is, as far as it has been read.
pub(crate) struct WriteKey {
    key: String,
    hasher: Box<Xxh3>,
}

// === impl WriteKey ===

impl WriteKey {
    /// The key that a request has. Keys of different API keys have nothing to do with each other.
    pub(crate) fn of(request: &Parts) -> Result<Option<Self>, ResponseError> {
        let Some(key) = request.headers.get(HEADER) else { return Ok(None) };
        let key = checked(key)?;
        let sender = request.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let mut hasher = Box::new(Xxh3::new());
        let (path, query) = (request.uri.path(), request.uri.query().unwrap_or_default());
        for part in [request.method.as_str(), path, query, content(&request.headers)] {
            hasher.update(part.as_bytes());
            hasher.update(&[0]);
        }
        Ok(Some(Self { key: format!("{:032x}:{key}", xxh3_128(sender)), hasher }))
    }

    /// Takes in a piece of the body.
    pub(crate) fn update(&mut self, piece: &[u8]) {
        self.hasher.update(piece);
    }

    /// By what the write is recognised, once all of the body has been taken in.
    pub(crate) fn once(self) -> Once {
        let mut fingerprint = String::with_capacity(32);
        let _ = write!(fingerprint, "{:032x}", self.hasher.digest128());
        Once { key: self.key, fingerprint }
    }
}

fn content(headers: &HeaderMap) -> &str {
    crate::intake::content_type(headers).unwrap_or_default()
}

fn checked(key: &HeaderValue) -> Result<&str, ResponseError> {
    let text = key.to_str().ok().filter(|text| (1..=LONGEST).contains(&text.len()));
    text.ok_or_else(|| {
        let message =
            format!("The header `Idempotency-Key` must hold 1 to {LONGEST} visible characters of ASCII.");
        ResponseError::new(Code::BadRequest, message)
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn once(path: &str, key: &str, sender: &str, body: &str) -> Once {
        let request = Request::post(path).header(HEADER, key).header(AUTHORIZATION, sender).body(());
        let (parts, ()) = request.expect("a request").into_parts();
        let mut write = WriteKey::of(&parts).expect("a good key").expect("a key");
        for piece in body.as_bytes().chunks(3) {
            write.update(piece);
        }
        write.once()
    }

    #[test]
    fn a_write_is_its_route_and_its_body() {
        let first = once("/indexes/a/documents?x=1", "k", "me", "body");
        assert_eq!(first, once("/indexes/a/documents?x=1", "k", "me", "body"));
        for other in [
            once("/indexes/b/documents?x=1", "k", "me", "body"),
            once("/indexes/a/documents?x=2", "k", "me", "body"),
            once("/indexes/a/documents?x=1", "k", "me", "other"),
        ] {
            assert_eq!(first.key, other.key);
            assert_ne!(first.fingerprint, other.fingerprint);
        }
        assert_ne!(first.key, once("/indexes/a/documents?x=1", "k", "you", "body").key);
    }

    #[test]
    fn no_key_and_bad_keys_are_told_apart() {
        let key = |request: http::request::Builder| {
            let (parts, ()) = request.body(()).expect("a request").into_parts();
            WriteKey::of(&parts).map(|key| key.is_some())
        };
        assert_eq!(key(Request::post("/")).ok(), Some(false));
        assert!(key(Request::post("/").header(HEADER, "")).is_err());
        assert!(key(Request::post("/").header(HEADER, "x".repeat(256))).is_err());
        assert!(key(Request::post("/").header(HEADER, "é")).is_err());
    }
}
