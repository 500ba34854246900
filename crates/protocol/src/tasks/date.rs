//! Dates that tasks are filtered by, and how long tasks took.

use std::fmt::{self, Write};

use serde::{Serialize, Serializer};
use time::{
    Date, Duration, OffsetDateTime, Time, format_description::well_known::Rfc3339, macros::format_description,
};

use crate::parse::{FromParam, ValueError};

/// A text that is no date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidTaskDate(String);

/// Everything later than this; a day alone means from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct After(pub(super) OffsetDateTime);

/// Everything earlier than this; a day alone means up to its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Before(pub(super) OffsetDateTime);

impl FromParam for After {
    type Err = InvalidTaskDate;

    fn from_param(text: &str) -> Result<Self, InvalidTaskDate> {
        let (moment, day_only) = parse(text).ok_or_else(|| InvalidTaskDate(text.to_owned()))?;
        let end = if day_only { moment.checked_add(Duration::days(1)) } else { None };
        Ok(Self(end.unwrap_or(moment)))
    }
}

impl FromParam for Before {
    type Err = InvalidTaskDate;

    fn from_param(text: &str) -> Result<Self, InvalidTaskDate> {
        parse(text).map(|(moment, _)| Self(moment)).ok_or_else(|| InvalidTaskDate(text.to_owned()))
    }
}

/// A moment, and whether only its day was written.
fn parse(text: &str) -> Option<(OffsetDateTime, bool)> {
    if let Ok(moment) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some((moment, false));
    }
    let day =
        Date::parse(text, format_description!("[year repr:full base:calendar]-[month repr:numerical]-[day]"));
    day.ok().map(|day| (day.with_time(Time::MIDNIGHT).assume_utc(), true))
}

impl fmt::Display for InvalidTaskDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is an invalid date-time. It should follow the YYYY-MM-DD or RFC 3339 date-time format.",
            self.0
        )
    }
}

impl ValueError for InvalidTaskDate {}

/// A duration as in `PT1.002S`, with three, six or nine digits after the point; `None` when it is negative.
pub fn iso_duration(duration: Duration) -> Option<String> {
    if duration.is_negative() {
        return None;
    }
    let (days, seconds) = (duration.whole_days(), duration.whole_seconds() % Duration::DAY.whole_seconds());
    let nanoseconds = duration.subsec_nanoseconds();
    let mut text = String::from("P");
    if days != 0 {
        let _ = write!(text, "{days}D");
    }
    if days == 0 || seconds != 0 || nanoseconds != 0 {
        let _ = match nanoseconds {
            0 => write!(text, "T{seconds}S"),
            n if n % 1_000_000 == 0 => write!(text, "T{seconds}.{:03}S", n / 1_000_000),
            n if n % 1_000 == 0 => write!(text, "T{seconds}.{:06}S", n / 1_000),
            n => write!(text, "T{seconds}.{n:09}S"),
        };
    }
    Some(text)
}

/// How a task's duration is serialised.
pub(super) fn serialize_duration<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.and_then(iso_duration).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use time::{Duration, macros::datetime};

    use super::{After, Before, FromParam, iso_duration};

    #[test]
    fn durations_have_as_many_digits_as_they_need() {
        let expected = [
            (Duration::ZERO, "PT0S"),
            (Duration::seconds(3), "PT3S"),
            (Duration::milliseconds(1002), "PT1.002S"),
            (Duration::microseconds(15), "PT0.000015S"),
            (Duration::nanoseconds(7), "PT0.000000007S"),
            (Duration::days(2), "P2D"),
            (Duration::days(1) + Duration::seconds(5), "P1DT5S"),
        ];
        for (duration, text) in expected {
            assert_eq!(iso_duration(duration).as_deref(), Some(text));
        }
        assert_eq!(iso_duration(Duration::seconds(-1)), None);
    }

    #[test]
    fn a_day_is_excluded_as_a_whole() {
        assert_eq!(After::from_param("2024-01-31"), Ok(After(datetime!(2024-02-01 0:00 UTC))));
        assert_eq!(Before::from_param("2024-01-31"), Ok(Before(datetime!(2024-01-31 0:00 UTC))));
    }

    #[test]
    fn a_moment_is_taken_as_it_is() {
        let moment = datetime!(2024-01-31 10:00:00.5 +2);
        assert_eq!(After::from_param("2024-01-31T10:00:00.5+02:00"), Ok(After(moment)));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "yesterday", "2024-13-01", "9999-12-31x"] {
            assert!(After::from_param(text).is_err() && Before::from_param(text).is_err(), "{text}");
        }
    }
}
