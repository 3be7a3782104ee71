use chrono::{DateTime, NaiveDate, NaiveTime};

/// Microseconds since 1970-01-01T00:00:00Z of a date (`2013-11-01`, meaning its midnight in UTC) or an RFC 3339 time.
pub fn parse_time(text: &str) -> Option<i64> {
    let midnight =
        || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| date.and_time(NaiveTime::MIN).and_utc());
    let instant = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    instant.or_else(midnight).map(|time| time.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_rfc_3339_times_become_microseconds() {
        for (text, micros) in [
            ("1970-01-01", Some(0)),
            ("2013-11-01", Some(1_383_264_000_000_000)),
            ("2013-11-01T00:00:00Z", Some(1_383_264_000_000_000)),
            ("2013-11-01T01:30:00.5+01:30", Some(1_383_264_000_500_000)),
            ("2013-10-31 19:00:00-05:00", Some(1_383_264_000_000_000)),
            ("2013-11-31", None),
            ("2013-11-01T24:00:00Z", None),
            ("2013-11-01T00:00:00", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text), micros, "{text}");
        }
    }
}
