//! An error that carries headers for the answer it becomes.

use std::fmt;

use http::HeaderMap;

use crate::body::BoxError;

/// An error and the headers that its answer should have, such as `Retry-After`.
///
/// Whoever turns errors into answers looks for it along the chain of sources; everybody else sees the error inside.
#[derive(Debug)]
pub struct WithHeaders {
    source: BoxError,
    headers: HeaderMap,
}

// === impl WithHeaders ===

impl WithHeaders {
    /// Adds headers to an error.
    pub fn new(source: impl Into<BoxError>, headers: HeaderMap) -> Self {
        Self { source: source.into(), headers }
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

impl fmt::Display for WithHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for WithHeaders {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
