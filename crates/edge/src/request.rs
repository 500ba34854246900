//! From pingora's request head to `http`'s.

use std::net::SocketAddr;

use http::{HeaderMap, Method, Version, header, request::Parts};
use pingora_core::protocols::http::ServerSession;
use pingora_http::RequestHeader;

/// The address a request came from, as an extension of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// A request's head, and what the answer has to know of it.
pub(crate) struct Head {
    pub(crate) parts: Parts,
    pub(crate) content_length: Option<u64>,
    pub(crate) expects_continue: bool,
}

/// What the answer has to know of its request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) version: Version,
}

// === impl Head ===

impl Head {
    /// Moves the head out of the session, which has no more use for it: the body's framing is
    /// already known (see [`ServerSession::is_body_done`]), and what stays behind is the method,
    /// as pingora sends no body in answer to a HEAD.
    pub(crate) fn take(session: &mut ServerSession) -> Self {
        let peer = session.client_addr().and_then(|address| address.as_inet()).copied();
        let mut left: RequestHeader = http::Request::new(()).into_parts().0.into();
        left.set_method(session.req_header().method.clone());
        let mut parts: Parts = std::mem::replace(session.req_header_mut(), left).into();
        if let Some(peer) = peer {
            parts.extensions.insert(PeerAddr(peer));
        }
        Self {
            content_length: content_length(&parts.headers),
            expects_continue: parts.version == Version::HTTP_11 && expects_continue(&parts.headers),
            parts,
        }
    }

    pub(crate) fn asked(&self) -> Asked {
        Asked { method: self.parts.method.clone(), version: self.parts.version }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn expects_continue(headers: &HeaderMap) -> bool {
    headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}
