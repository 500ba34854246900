//! Until when a key is good.

use std::fmt;

use time::{
    Date, OffsetDateTime, PrimitiveDateTime, Time, format_description::well_known::Rfc3339,
    macros::format_description,
};

use crate::{
    error::{Code, ResponseError},
    parse::ValueError,
};

/// A date as it was sent, and what it means.
#[derive(Debug)]
pub(super) struct Expiry {
    text: String,
    at: OffsetDateTime,
}

/// A text that is no date, or no date to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidExpiry(String);

impl Expiry {
    /// Reads a date with or without a time, and a time with or without a zone.
    pub(super) fn parse(text: Option<String>) -> Result<Option<Self>, InvalidExpiry> {
        let Some(text) = text else { return Ok(None) };
        match read(&text) {
            Some(at) => Ok(Some(Self { text, at })),
            None => Err(InvalidExpiry(text)),
        }
    }

    /// The date, which has to be after `now`.
    pub(super) fn after(self, now: OffsetDateTime) -> Result<OffsetDateTime, ResponseError> {
        if self.at > now {
            return Ok(self.at);
        }
        let message = format!("Invalid value at `.expiresAt`: {}", InvalidExpiry(self.text));
        Err(ResponseError::new(Code::InvalidApiKeyExpiresAt, message))
    }
}

fn read(text: &str) -> Option<OffsetDateTime> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(at);
    }
    let with_t = format_description!(
        "[year repr:full base:calendar]-[month repr:numerical]-[day]T[hour]:[minute]:[second]"
    );
    let with_space = format_description!(
        "[year repr:full base:calendar]-[month repr:numerical]-[day] [hour]:[minute]:[second]"
    );
    let day = format_description!("[year repr:full base:calendar]-[month repr:numerical]-[day]");
    let at = PrimitiveDateTime::parse(text, with_t)
        .or_else(|_| PrimitiveDateTime::parse(text, with_space))
        .or_else(|_| Date::parse(text, day).map(|day| day.with_time(Time::MIDNIGHT)));
    at.ok().map(PrimitiveDateTime::assume_utc)
}

impl fmt::Display for InvalidExpiry {
    // The line break at the end is Meilisearch's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "`{}` is not a valid date. It should follow the RFC 3339 format to represents a date or datetime in the \
             future or specified as a null value. e.g. 'YYYY-MM-DD' or 'YYYY-MM-DD HH:MM:SS'.",
            self.0
        )
    }
}

impl ValueError for InvalidExpiry {}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{Expiry, read};

    #[test]
    fn dates_are_read_in_four_forms() {
        let expected = [
            ("2030-01-02", datetime!(2030-01-02 0:00 UTC)),
            ("2030-01-02 03:04:05", datetime!(2030-01-02 03:04:05 UTC)),
            ("2030-01-02T03:04:05", datetime!(2030-01-02 03:04:05 UTC)),
            ("2030-01-02T03:04:05+01:00", datetime!(2030-01-02 02:04:05 UTC)),
        ];
        for (text, at) in expected {
            assert_eq!(read(text), Some(at), "{text}");
        }
        assert_eq!(read("tomorrow"), None);
    }

    #[test]
    fn a_key_cannot_have_expired_already() {
        let expiry = || Expiry::parse(Some("2030-01-02".to_owned())).expect("a date").expect("some");
        assert!(expiry().after(datetime!(2030-01-01 23:59 UTC)).is_ok());
        assert!(expiry().after(datetime!(2030-01-02 0:00 UTC)).is_err());
    }
}
