//! Errors of a parser that does not see the end yet.

use memchr::memchr_iter;
use serde_json::Error;

/// The parser looks less far ahead than this.
pub(crate) const LOOK_AHEAD: usize = 16;

/// Whether an error found in `bytes` would be found too if more followed.
pub(crate) fn is_settled(error: &Error, bytes: &[u8], ended: bool) -> bool {
    ended || !error.is_eof() && offset(error, bytes) + LOOK_AHEAD <= bytes.len()
}

/// How many bytes were looked at when the error was found.
fn offset(error: &Error, bytes: &[u8]) -> usize {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr_iter(b'\n', bytes).nth(line - 2).map_or(0, |newline| newline + 1),
    };
    line_start + error.column()
}
