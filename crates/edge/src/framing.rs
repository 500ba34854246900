//! How an answer's body is delimited on the wire. Pure: no session, no I/O.

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, response::Parts};
use http_body::SizeHint;

use crate::request::Asked;

/// How an answer's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// No body follows the head.
    Empty,
    /// As many bytes as the head says.
    Length,
    /// Chunks (HTTP/1.1) or frames (HTTP/2).
    Chunked,
    /// The connection's end is the body's end (HTTP/1.0).
    UntilClose,
}

/// Decides the framing and makes the headers say so. Returns it, and whether the service asked for
/// the connection to be closed.
pub(crate) fn frame(parts: &mut Parts, hint: &SizeHint, asked: &Asked) -> (Framing, bool) {
    let close = remove_connection_headers(&mut parts.headers);
    // HTTP/2 has no version in its head; for HTTP/1.0 clients a 1.1 answer is what RFC 9110 asks for.
    parts.version = Version::HTTP_11;
    (framing(parts, hint, asked), close)
}

fn framing(parts: &mut Parts, hint: &SizeHint, asked: &Asked) -> Framing {
    if parts.status == StatusCode::NO_CONTENT {
        parts.headers.remove(header::CONTENT_LENGTH);
        return Framing::Empty;
    }
    if parts.status == StatusCode::NOT_MODIFIED {
        return Framing::Empty;
    }
    let length = sole_length(&mut parts.headers);
    if asked.method == Method::HEAD {
        // An empty body is how a service answers HEAD: it says nothing of the length.
        if let (None, Some(length @ 1..)) = (length, hint.exact()) {
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        return Framing::Empty;
    }
    match (length, hint.exact()) {
        (Some(0), _) => Framing::Empty,
        (Some(_), _) => Framing::Length,
        (None, Some(length)) => {
            parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            if length == 0 { Framing::Empty } else { Framing::Length }
        }
        (None, None) if asked.version == Version::HTTP_11 => {
            parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            Framing::Chunked
        }
        (None, None) if asked.version == Version::HTTP_2 => Framing::Chunked,
        (None, None) => Framing::UntilClose,
    }
}

/// The one length the headers agree on; headers that agree on none are removed.
fn sole_length(headers: &mut HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = values.next()?;
    let length = first.to_str().ok().and_then(|text| text.parse().ok());
    if length.is_none() || values.next().is_some() {
        headers.remove(header::CONTENT_LENGTH);
        return None;
    }
    length
}

/// Removes what speaks of a connection, not of the answer; tells whether it said `close`.
fn remove_connection_headers(headers: &mut HeaderMap) -> bool {
    headers.remove(header::TRANSFER_ENCODING);
    let Some(connection) = headers.remove(header::CONNECTION) else { return false };
    let connection = connection.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut close = false;
    for name in connection.split(',').map(str::trim) {
        close |= name == "close";
        headers.remove(name);
    }
    headers.remove("keep-alive");
    close
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(
        method: Method,
        version: Version,
        status: u16,
        headers: &[(&'static str, &'static str)],
        length: Option<u64>,
    ) -> (Framing, Parts, bool) {
        let mut parts = http::Response::new(()).into_parts().0;
        parts.status = StatusCode::from_u16(status).expect("valid status");
        for (name, value) in headers {
            parts.headers.append(*name, HeaderValue::from_static(value));
        }
        let hint = length.map_or_else(SizeHint::default, SizeHint::with_exact);
        let (framing, close) = frame(&mut parts, &hint, &Asked { method, version });
        (framing, parts, close)
    }

    #[test]
    fn a_known_size_becomes_a_content_length() {
        let (framing, parts, _) = framed(Method::GET, Version::HTTP_11, 200, &[], Some(5));
        assert_eq!(framing, Framing::Length);
        assert_eq!(parts.headers["content-length"], "5");
        let (framing, parts, _) = framed(Method::GET, Version::HTTP_11, 200, &[], Some(0));
        assert_eq!(framing, Framing::Empty);
        assert_eq!(parts.headers["content-length"], "0");
    }

    #[test]
    fn an_unknown_size_is_chunked_for_http_1_1_only() {
        let (framing, parts, _) = framed(Method::GET, Version::HTTP_11, 200, &[], None);
        assert_eq!(framing, Framing::Chunked);
        assert_eq!(parts.headers["transfer-encoding"], "chunked");
        let (framing, parts, _) = framed(Method::GET, Version::HTTP_10, 200, &[], None);
        assert_eq!(framing, Framing::UntilClose);
        assert!(!parts.headers.contains_key("transfer-encoding"));
        let (framing, parts, _) = framed(Method::GET, Version::HTTP_2, 200, &[], None);
        assert_eq!(framing, Framing::Chunked);
        assert!(parts.headers.is_empty());
    }

    #[test]
    fn head_keeps_the_length_of_what_get_would_answer() {
        let headers = [("content-length", "15")];
        let (framing, parts, _) = framed(Method::HEAD, Version::HTTP_11, 200, &headers, Some(0));
        assert_eq!(framing, Framing::Empty);
        assert_eq!(parts.headers["content-length"], "15");
        let (_, parts, _) = framed(Method::HEAD, Version::HTTP_11, 200, &[], Some(0));
        assert!(parts.headers.is_empty());
    }

    #[test]
    fn no_content_has_no_length() {
        let headers = [("content-length", "0")];
        let (framing, parts, _) = framed(Method::GET, Version::HTTP_11, 204, &headers, Some(0));
        assert_eq!(framing, Framing::Empty);
        assert!(parts.headers.is_empty());
    }

    #[test]
    fn contradicting_lengths_are_not_believed() {
        let headers = [("content-length", "3"), ("content-length", "4")];
        let (framing, parts, _) = framed(Method::GET, Version::HTTP_11, 200, &headers, Some(5));
        assert_eq!(framing, Framing::Length);
        assert_eq!(parts.headers["content-length"], "5");
    }

    #[test]
    fn connection_headers_of_the_service_do_not_reach_the_client() {
        let headers = [("connection", "Close, X-Hop"), ("x-hop", "1"), ("transfer-encoding", "chunked")];
        let (framing, parts, close) = framed(Method::GET, Version::HTTP_11, 200, &headers, Some(5));
        assert_eq!(framing, Framing::Length);
        assert!(close);
        assert_eq!(parts.headers.len(), 1);
    }
}
