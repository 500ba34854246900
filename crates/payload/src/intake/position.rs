//! Where in the whole payload something is, while only a part of it is at hand.

use memchr::{memchr_iter, memrchr};
use serde_json::Error;

/// How much came before, counted as the parser counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Newlines so far.
    lines: usize,
    /// Bytes since the last newline.
    column: usize,
}

impl Position {
    /// Counts bytes that are done with.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        match memrchr(b'\n', bytes) {
            Some(last) => {
                self.lines += memchr_iter(b'\n', &bytes[..=last]).count();
                self.column = bytes.len() - last - 1;
            }
            None => self.column += bytes.len(),
        }
    }

    /// `reason`, found when looking at the next byte, or with `ended` at the end of the payload.
    pub(super) fn place(&self, reason: &str, ended: bool) -> String {
        format!("{reason} at line {} column {}", self.lines + 1, self.column + usize::from(!ended))
    }

    /// The message of an error in what comes after, with its place in the whole.
    pub(super) fn shift(&self, error: &Error) -> String {
        let text = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let Some(reason) = text.strip_suffix(&place) else { return text };
        let column = if error.line() == 1 { self.column + error.column() } else { error.column() };
        format!("{reason} at line {} column {column}", self.lines + error.line())
    }
}
