//! The head of an answer, and what says where its body ends (RFC 9112, section 6).

use http::StatusCode;
use memchr::memmem;

/// How many header fields an answer may have.
const FIELDS: usize = 64;

/// What the rest of an exchange needs of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) framing: Framing,
    /// Whether the node keeps the connection.
    pub(super) keep_alive: bool,
    /// The head's own length in bytes.
    pub(super) length: usize,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Head {
    /// Reads a head at the start of `bytes`; `None` where it is not all there yet.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        // Most often it is all there or nothing is; its fields are looked at once.
        if memmem::find(bytes, b"\r\n\r\n").is_none() {
            return Ok(None);
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err("the head is not HTTP"),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or("the status is not HTTP")?;
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err("the protocol is switched, and nobody asked for it");
        }
        let mut head =
            Self { status, framing: Framing::UntilClose, keep_alive: response.version == Some(1), length };
        for field in response.headers {
            head.take(field)?;
        }
        if status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            head.framing = Framing::Length(0);
        }
        head.keep_alive &= head.framing != Framing::UntilClose;
        Ok(Some(head))
    }

    fn take(&mut self, field: &httparse::Header<'_>) -> Result<(), &'static str> {
        if field.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(field.value).ok().and_then(|text| text.trim().parse().ok());
            let length = Framing::Length(length.ok_or("the content length is no number")?);
            match self.framing {
                Framing::UntilClose => self.framing = length,
                framing if framing == length || framing == Framing::Chunked => {}
                _ => return Err("there are two content lengths"),
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            if !field.value.eq_ignore_ascii_case(b"chunked") {
                return Err("the transfer encoding is not known");
            }
            self.framing = Framing::Chunked;
        } else if field.name.eq_ignore_ascii_case("connection") && has_token(field.value, b"close") {
            self.keep_alive = false;
        }
        Ok(())
    }
}

/// The size a chunk's first line says, in bytes.
pub(super) fn chunk_size(line: &[u8]) -> Result<usize, &'static str> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let text = std::str::from_utf8(digits.trim_ascii()).unwrap_or_default();
    match text.strip_prefix('+') {
        None => usize::from_str_radix(text, 16).map_err(|_| "a chunk's size is no number"),
        Some(_) => Err("a chunk's size is no number"),
    }
}

fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|byte| *byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Head>, &'static str> {
        Head::parse(text.as_bytes())
    }

    #[test]
    fn a_head_says_where_the_body_ends() {
        for (fields, framing, keep_alive) in [
            ("Content-Length: 12\r\n", Framing::Length(12), true),
            ("content-length: 12\r\nConnection: Close\r\n", Framing::Length(12), false),
            ("connection: x, close\r\ncontent-length: 0\r\n", Framing::Length(0), false),
            ("Transfer-Encoding: Chunked\r\ncontent-length: 5\r\n", Framing::Chunked, true),
            ("content-length: 5\r\ntransfer-encoding: chunked\r\n", Framing::Chunked, true),
            ("", Framing::UntilClose, false),
        ] {
            let head = parse(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).expect("HTTP").expect("whole");
            assert_eq!((head.framing, head.keep_alive), (framing, keep_alive), "{fields:?}");
        }
        let empty = parse("HTTP/1.1 204 No Content\r\n\r\n").expect("HTTP").expect("whole");
        assert_eq!((empty.framing, empty.keep_alive), (Framing::Length(0), true));
        let old = parse("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n").expect("HTTP").expect("whole");
        assert!(!old.keep_alive);
    }

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        for fields in [
            "content-length: 1\r\ncontent-length: 2\r\n",
            "content-length: -1\r\n",
            "content-length: many\r\n",
            "transfer-encoding: gzip, chunked\r\n",
        ] {
            parse(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).expect_err(fields);
        }
        parse("SSH-2.0-OpenSSH_9.2\r\n\r\n").expect_err("not HTTP");
        parse("HTTP/1.1 101 Switching Protocols\r\n\r\n").expect_err("not asked for");
    }

    #[test]
    fn a_chunk_says_its_size_in_hex() {
        assert_eq!(chunk_size(b"1F ; name=value"), Ok(31));
        assert_eq!(chunk_size(b"0"), Ok(0));
        for line in [&b""[..], b"+5", b"-5", b"5g", b"fffffffffffffffff"] {
            chunk_size(line).expect_err("no size");
        }
    }
}
