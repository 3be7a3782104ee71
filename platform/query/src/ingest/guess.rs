//! The type of a column, from some of its values.

use serde_json::Value;
use tiegel_types::DType;

use super::values::{parse_date, parse_timestamp};

/// Which types every value so far could have.
#[derive(Clone, Copy)]
pub(super) struct Guess {
    seen: bool,
    boolean: bool,
    integer: bool,
    float: bool,
    date: bool,
    timestamp: bool,
}

impl Guess {
    pub(super) fn new() -> Self {
        Self { seen: false, boolean: true, integer: true, float: true, date: true, timestamp: true }
    }

    /// A text of a CSV file that is not null.
    pub(super) fn text(&mut self, text: &str) {
        self.seen = true;
        let text = text.trim();
        self.boolean &= text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
        let integer = text.parse::<i64>().is_ok();
        self.integer &= integer;
        // Digits beyond 64 bits are an identifier more often than a number, and a float would lose some.
        let long = !integer && text.bytes().all(|byte| byte.is_ascii_digit());
        self.float &= !long && text.parse::<f64>().is_ok();
        self.moment(text);
    }

    /// A value of a JSON file that is not null.
    pub(super) fn json(&mut self, value: &Value) {
        self.seen = true;
        self.boolean &= value.is_boolean();
        self.integer &= value.is_i64();
        self.float &= value.is_number();
        match value {
            Value::String(text) => self.moment(text),
            _ => (self.date, self.timestamp) = (false, false),
        }
    }

    fn moment(&mut self, text: &str) {
        self.date = self.date && parse_date(text).is_some();
        self.timestamp = self.timestamp && parse_timestamp(text).is_some();
    }

    /// The narrowest type; utf8 where nothing else holds all values, or where there was none.
    pub(super) fn dtype(self) -> DType {
        match self {
            Guess { seen: false, .. } => DType::Utf8,
            Guess { boolean: true, .. } => DType::Boolean,
            Guess { integer: true, .. } => DType::Int64,
            Guess { float: true, .. } => DType::Float64,
            Guess { date: true, .. } => DType::Date32,
            Guess { timestamp: true, .. } => DType::TimestampUs,
            _ => DType::Utf8,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_gets_the_narrowest_type_that_holds_all_its_values() {
        for (texts, expected) in [
            (&["1", "-2", " 3 "] as &[&str], DType::Int64),
            (&["1", "2.5", "1e9", "NaN"], DType::Float64),
            (&["true", "False"], DType::Boolean),
            (&["2013-01-01", "1969-12-31"], DType::Date32),
            (&["2013-01-01T05:00:00Z", "2013-01-01 06:00:00.25"], DType::TimestampUs),
            (&["2013-01-01", "2013-01-01 06:00:00"], DType::TimestampUs),
            (&["1", "x"], DType::Utf8),
            (&["true", "1"], DType::Utf8),
            (&["99999999999999999999"], DType::Utf8),
            (&["2013-13-01"], DType::Utf8),
            (&[], DType::Utf8),
        ] {
            let mut guess = Guess::new();
            texts.iter().for_each(|text| guess.text(text));
            assert_eq!(guess.dtype(), expected, "{texts:?}");
        }
    }
}
