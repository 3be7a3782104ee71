//! Times, durations and values as protocol buffers write them in JSON.

use chrono::{DateTime, SecondsFormat};
use serde::Serialize as _;
use serde_json::ser::Formatter;
use serde_json::{Serializer, Value};

/// `2026-11-23T15:18:33.176Z`; whole seconds have no fraction.
pub(crate) fn timestamp(ms: i64) -> String {
    let format = if ms.rem_euclid(1_000) == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(format, true)
}

pub(crate) fn timestamp_ms(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
}

/// `1.500s`; whole seconds have no fraction.
pub(crate) fn duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let (seconds, rest) = (ms.unsigned_abs() / 1_000, ms.unsigned_abs() % 1_000);
    if rest == 0 { format!("{sign}{seconds}s") } else { format!("{sign}{seconds}.{rest:03}s") }
}

pub(crate) fn duration_ms(text: &str) -> Option<i64> {
    let number = text.strip_suffix('s')?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = whole.strip_prefix('-').unwrap_or(whole);
    if unsigned.is_empty() || !is_digits(unsigned) || !is_digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let seconds: i64 = unsigned.parse().ok()?;
    let thousandths: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let ms = seconds.checked_mul(1_000)?.checked_add(thousandths)?;
    Some(if whole.starts_with('-') { -ms } else { ms })
}

/// As a value travels: it has no whole numbers.
pub(crate) fn as_doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(values) => values.into_iter().map(as_doubles).collect(),
        Value::Object(fields) => fields.into_iter().map(|(key, value)| (key, as_doubles(value))).collect(),
        other => other,
    }
}

/// As Python's `json.dumps` writes it, which is how its clients compare texts.
pub(crate) fn python_text(value: &Value) -> String {
    let mut out = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut out, Spaced));
    debug_assert!(written.is_ok(), "a value is always written to memory");
    String::from_utf8(out).unwrap_or_default()
}

/// A space after each comma and colon.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, is_first: bool) -> std::io::Result<()> {
        if is_first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(&mut self, writer: &mut W, is_first: bool) -> std::io::Result<()> {
        if is_first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_and_durations_read_back() {
        for (ms, text) in [
            (1_795_447_113_176, "2026-11-23T15:18:33.176Z"),
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!((timestamp(ms).as_str(), timestamp_ms(text)), (text, Some(ms)));
        }
        assert_eq!(timestamp_ms("2026-11-23T16:18:33.176999+01:00"), Some(1_795_447_113_176));
        assert_eq!(timestamp_ms("yesterday"), None);
        for (ms, text) in [(1_500, "1.500s"), (2_000, "2s"), (0, "0s"), (-5, "-0.005s")] {
            assert_eq!((duration(ms).as_str(), duration_ms(text)), (text, Some(ms)));
        }
        assert_eq!(duration_ms("1.5s"), Some(1_500));
        for bad in ["1", "s", "-s", "1,5s", "1.s5", "9223372036854775807s", "1.0000000000s"] {
            assert_eq!(duration_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn values_are_spaced_and_doubles() {
        let value = json!({"a": [1, "x"], "b": {}});
        assert_eq!(python_text(&value), r#"{"a": [1, "x"], "b": {}}"#);
        assert_eq!(python_text(&as_doubles(value)), r#"{"a": [1.0, "x"], "b": {}}"#);
    }
}
