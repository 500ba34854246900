//! Server-sent events: taken apart as bytes come in, and written.

use thiserror::Error;

/// The data that ends a stream.
pub const DONE: &str = "[DONE]";
/// What a stream to a client begins with: how many milliseconds later it may come back.
pub const RETRY: &[u8] = b"retry: 10000\n\n";
/// How long the data of an event, and a line, may be, in bytes.
const MOST: usize = 1 << 20;

/// Takes a stream of events apart.
#[derive(Debug, Default)]
pub struct EventReader {
    /// What has come in, of which everything before `read` is done with.
    buffer: Vec<u8>,
    read: usize,
    /// The data of the event that is coming in, each line of it with its end.
    data: String,
    begun: bool,
}

/// Why a stream of events cannot be read further.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EventsError {
    /// A line is no text.
    #[error("{0}")]
    Utf8(std::str::Utf8Error),
    /// A line or an event is longer than is taken into memory.
    #[error("an event is longer than {MOST} bytes")]
    TooLong,
}

/// One event with this data, which has no line breaks, as JSON has none.
pub fn event(data: &str) -> Vec<u8> {
    [b"data: ", data.as_bytes(), b"\n\n"].concat()
}

// === impl EventReader ===

impl EventReader {
    /// Takes in more of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The data of the next event that has come in whole. Events without data are none.
    pub fn next_event(&mut self) -> Result<Option<String>, EventsError> {
        loop {
            let Some((start, end)) = self.line() else {
                let is_too_long = self.buffer.len() - self.read > MOST;
                return if is_too_long { Err(EventsError::TooLong) } else { Ok(None) };
            };
            if start == end {
                if self.data.pop().is_some() {
                    return Ok(Some(std::mem::take(&mut self.data)));
                }
                continue;
            }
            let mut line = &self.buffer[start..end];
            if !std::mem::replace(&mut self.begun, true) {
                line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
            }
            let Some(value) = data(line) else { continue };
            if self.data.len() + value.len() > MOST {
                return Err(EventsError::TooLong);
            }
            self.data.push_str(std::str::from_utf8(value).map_err(EventsError::Utf8)?);
            self.data.push('\n');
        }
    }

    /// Where the next line is that has ended. A carriage return may be one half of an end, so one at the end of what has
    /// come in is not looked at yet.
    fn line(&mut self) -> Option<(usize, usize)> {
        let start = self.read;
        let length = memchr::memchr2(b'\n', b'\r', &self.buffer[start..])?;
        let end = start + length;
        let after = match (self.buffer[end], self.buffer.get(end + 1)) {
            (b'\r', None) => return None,
            (b'\r', Some(b'\n')) => end + 2,
            _ => end + 1,
        };
        self.read = after;
        Some((start, end))
    }
}

/// The value of a line that is one of data.
fn data(line: &[u8]) -> Option<&[u8]> {
    let value = match line.strip_prefix(b"data")? {
        [] => return Some(&[]),
        [b':', value @ ..] => value,
        _ => return None,
    };
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<String> {
        let mut reader = EventReader::default();
        let mut events = Vec::new();
        for piece in pieces {
            reader.push(piece);
            while let Some(event) = reader.next_event().unwrap() {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let stream = b"\xef\xbb\xbf: hello\r\n\r\nevent: x\r\ndata: {\"a\":\"\xc3\xa9\"}\r\n\r\ndata:1\rdata: 2\r\rid: 3\ndata\n\ndata: [DONE]\n\n";
        let expected = ["{\"a\":\"é\"}", "1\n2", "", "[DONE]"];
        assert_eq!(all(&[stream]), expected);
        for at in 0..stream.len() {
            let (one, two) = stream.split_at(at);
            assert_eq!(all(&[one, two]), expected, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(all(&bytes), expected);
    }

    #[test]
    fn what_has_not_ended_is_no_event() {
        assert!(all(&[b"data: a\n", b"data: b"]).is_empty());
        assert!(all(&[b": a\n\n\n\nretry: 3\n\nnodata: 2\n\ndatax: 1\n\n"]).is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut reader = EventReader::default();
        reader.push(&vec![b'a'; MOST + 1]);
        assert_eq!(reader.next_event(), Err(EventsError::TooLong));
        let mut reader = EventReader::default();
        let line = [b"data: ".as_slice(), &vec![b'a'; MOST / 2], b"\n"].concat();
        reader.push(&line);
        assert_eq!(reader.next_event(), Ok(None));
        reader.push(&line);
        assert_eq!(reader.next_event(), Err(EventsError::TooLong));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let mut reader = EventReader::default();
        reader.push(b"data: \xff\n\n");
        assert!(matches!(reader.next_event(), Err(EventsError::Utf8(_))));
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        assert_eq!(event("{}"), b"data: {}\n\n");
        assert_eq!(all(&[&event(DONE)]), [DONE]);
    }
}
