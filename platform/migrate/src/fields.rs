//! Lenient reading of what servers of many versions answer.

use serde_json::Value;
use tiegel_types::transfer::Pairs;

pub trait Fields {
    /// Empty where there is none.
    fn text(&self, name: &str) -> String;
    fn text_opt(&self, name: &str) -> Option<String>;
    /// A number, or a number in a text.
    fn int(&self, name: &str) -> Option<i64>;
    fn list(&self, name: &str) -> &[Value];
    /// A list of `{"key", "value"}`.
    fn pairs(&self, name: &str) -> Pairs;
}

impl Fields for Value {
    fn text(&self, name: &str) -> String {
        self.text_opt(name).unwrap_or_default()
    }

    fn text_opt(&self, name: &str) -> Option<String> {
        match &self[name] {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn int(&self, name: &str) -> Option<i64> {
        match &self[name] {
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64().map(|float| float as i64)),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn list(&self, name: &str) -> &[Value] {
        self[name].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    fn pairs(&self, name: &str) -> Pairs {
        let mut pairs: Pairs = self.list(name).iter().map(|pair| (pair.text("key"), pair.text("value"))).collect();
        pairs.sort();
        pairs
    }
}

/// A metric's value: NaN is a text.
pub fn real(value: &Value) -> f64 {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) => match text.as_str() {
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            other => other.parse().unwrap_or(f64::NAN),
        },
        // A zero may be left out.
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_as_numbers_or_as_texts() {
        let answer = json!({ "a": 5, "b": "1700000000000", "c": "x", "d": 2.0 });
        assert_eq!([answer.int("a"), answer.int("b"), answer.int("c")], [Some(5), Some(1_700_000_000_000), None]);
        assert_eq!((answer.int("d"), answer.int("e"), answer.text("a")), (Some(2), None, "5".to_owned()));
    }

    #[test]
    fn values_that_json_does_not_know_come_as_texts() {
        assert!(real(&json!("NaN")).is_nan());
        assert_eq!([real(&json!("Infinity")), real(&json!("-Infinity"))], [f64::INFINITY, f64::NEG_INFINITY]);
        assert_eq!([real(&json!(0.1)), real(&json!("2.5")), real(&Value::Null)], [0.1, 2.5, 0.0]);
    }
}
