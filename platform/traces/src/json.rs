//! JSON as Python's `json.dumps` writes it, with a space after each comma and colon: clients search in these texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

/// A NUL becomes the character for what cannot be shown: databases have none in texts.
pub(crate) fn push_string(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            8 => "\\b",
            12 => "\\f",
            0 => "\u{fffd}",
            1..32 => {
                out.push_str(&text[from..at]);
                out.push_str(&format!("\\u{byte:04x}"));
                from = at + 1;
                continue;
            }
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

pub(crate) fn push_value(out: &mut String, value: Option<&AnyValue>) {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => out.push_str("null"),
        Some(Value::StringValue(text)) => push_string(out, text),
        Some(Value::BoolValue(flag)) => out.push_str(if *flag { "true" } else { "false" }),
        Some(Value::IntValue(number)) => out.push_str(&number.to_string()),
        Some(Value::DoubleValue(number)) => push_double(out, *number),
        Some(Value::BytesValue(bytes)) => push_string(out, &STANDARD.encode(bytes)),
        Some(Value::ArrayValue(array)) => {
            out.push('[');
            for (at, value) in array.values.iter().enumerate() {
                separate(out, at);
                push_value(out, Some(value));
            }
            out.push(']');
        }
        Some(Value::KvlistValue(list)) => push_object(out, &list.values),
    }
}

pub(crate) fn push_object(out: &mut String, pairs: &[KeyValue]) {
    out.push('{');
    for (at, pair) in pairs.iter().enumerate() {
        separate(out, at);
        push_string(out, &pair.key);
        out.push_str(": ");
        push_value(out, pair.value.as_ref());
    }
    out.push('}');
}

pub(crate) fn separate(out: &mut String, at: usize) {
    if at > 0 {
        out.push_str(", ");
    }
}

/// What JSON has no number for becomes a text.
fn push_double(out: &mut String, number: f64) {
    match serde_json::Number::from_f64(number) {
        Some(number) => out.push_str(&number.to_string()),
        None if number.is_nan() => out.push_str("\"NaN\""),
        None => out.push_str(if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" }),
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};

    use super::*;

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn values_are_written_as_python_does() {
        let pair = |key: &str, value| KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() };
        let list = any(Value::ArrayValue(ArrayValue {
            values: vec![any(Value::IntValue(1)), any(Value::DoubleValue(2.5)), AnyValue { value: None }],
        }));
        let object = any(Value::KvlistValue(KeyValueList {
            values: vec![
                pair("a", list),
                pair("b", any(Value::BytesValue(vec![1, 2]))),
                pair("n", any(Value::DoubleValue(f64::NAN))),
            ],
        }));
        let mut out = String::new();
        push_value(&mut out, Some(&object));
        assert_eq!(out, r#"{"a": [1, 2.5, null], "b": "AQI=", "n": "NaN"}"#);
    }

    #[test]
    fn a_text_reads_back_but_for_nul() {
        let text = "é\"\\\n\u{1}x\u{7f}\u{2028}";
        let mut out = String::new();
        push_string(&mut out, text);
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        out.clear();
        push_string(&mut out, "a\0b");
        assert_eq!(out, "\"a\u{fffd}b\"");
    }
}
