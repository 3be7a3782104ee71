//! Spans as they are kept, turned into OpenTelemetry's own message.

use serde_json::{Map, Value, json};

/// The span that some JSON keeps. JSON that is none, which nobody writes, becomes an empty span.
pub(crate) fn span_json(content: &str) -> Value {
    let mut kept: Map<String, Value> = serde_json::from_str(content).unwrap_or_default();
    let mut span = Map::new();
    let mut take = |from: &str| kept.remove(from).filter(|value| !value.is_null());
    for key in ["trace_id", "span_id", "parent_span_id", "name", "start_time_unix_nano", "end_time_unix_nano"] {
        span.extend(take(key).filter(|value| value != "").map(|value| (key.to_owned(), value)));
    }
    if let Some(Value::Object(attributes)) = take("attributes") {
        // Each value is JSON in a text.
        let decoded = attributes.into_iter().map(|(key, value)| (key, decoded(value)));
        put_list(&mut span, "attributes", pairs(decoded));
    }
    if let Some(Value::Array(events)) = take("events") {
        put_list(&mut span, "events", events.into_iter().map(event).collect());
    }
    if let Some(Value::Array(links)) = take("links") {
        put_list(&mut span, "links", links.into_iter().map(link).collect());
    }
    span.insert("status".to_owned(), status(take("status").unwrap_or_default()));
    Value::Object(span)
}

fn decoded(value: Value) -> Value {
    match value {
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(value) => value,
            Err(_) => Value::String(text),
        },
        other => other,
    }
}

fn put_list(fields: &mut Map<String, Value>, key: &str, values: Vec<Value>) {
    if !values.is_empty() {
        fields.insert(key.to_owned(), Value::Array(values));
    }
}

fn pairs(values: impl Iterator<Item = (String, Value)>) -> Vec<Value> {
    values
        .map(|(key, value)| {
            let mut pair = Map::from_iter([("key".to_owned(), Value::String(key))]);
            // A value that says nothing is left out.
            if !value.is_null() {
                pair.insert("value".to_owned(), any(value));
            }
            Value::Object(pair)
        })
        .collect()
}

fn any(value: Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({ "bool_value": flag }),
        Value::Number(number) if number.is_i64() => json!({ "int_value": number }),
        Value::Number(number) => json!({ "double_value": number.as_f64() }),
        Value::String(text) => json!({ "string_value": text }),
        Value::Array(values) => {
            let mut array = Map::new();
            put_list(&mut array, "values", values.into_iter().map(any).collect());
            json!({ "array_value": array })
        }
        Value::Object(fields) => {
            let mut list = Map::new();
            put_list(&mut list, "values", pairs(fields.into_iter()));
            json!({ "kvlist_value": list })
        }
    }
}

fn event(mut event: Value) -> Value {
    let mut fields = Map::new();
    fields.insert("time_unix_nano".to_owned(), event["time_unix_nano"].take());
    fields.insert("name".to_owned(), event["name"].take());
    put_attributes(&mut fields, event["attributes"].take());
    Value::Object(fields)
}

fn link(mut link: Value) -> Value {
    let mut fields = Map::new();
    let bytes = |id: &Value, prefix: &str| {
        let text = id.as_str().unwrap_or_default();
        base64_of_hex(text.strip_prefix(prefix).unwrap_or(text))
    };
    fields.insert("trace_id".to_owned(), Value::String(bytes(&link["trace_id"], "tr-")));
    fields.insert("span_id".to_owned(), Value::String(bytes(&link["span_id"], "")));
    put_attributes(&mut fields, link["attributes"].take());
    Value::Object(fields)
}

fn put_attributes(fields: &mut Map<String, Value>, attributes: Value) {
    if let Value::Object(attributes) = attributes {
        put_list(fields, "attributes", pairs(attributes.into_iter()));
    }
}

fn base64_of_hex(hex: &str) -> String {
    use base64::Engine as _;
    let byte = |at| hex.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).map_while(byte).collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn status(mut status: Value) -> Value {
    let mut fields = Map::new();
    let message = status["message"].take();
    if message.as_str().is_some_and(|message| !message.is_empty()) {
        fields.insert("message".to_owned(), message);
    }
    let code = status["code"].take();
    fields.insert("code".to_owned(), if code.is_string() { code } else { json!("STATUS_CODE_UNSET") });
    Value::Object(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_written_as_opentelemetry_does() {
        let kept = json!({
            "trace_id": "q6urq6urq6urq6urq6urqw==", "span_id": "AQEBAQEBAQE=", "parent_span_id": null, "name": "n",
            "start_time_unix_nano": 5, "end_time_unix_nano": 7,
            "events": [{"name": "e", "time_unix_nano": 6, "attributes": {"q": 1}}],
            "status": {"code": "STATUS_CODE_ERROR", "message": "boom"},
            "attributes": {"a.b": "[1, 2.5, \"x\", null, {\"k\": true}]", "empty": "{}", "none": "null", "text": "\"t\"", "raw": "t"},
            "links": [{"trace_id": "tr-01", "span_id": "02", "attributes": null}],
        });
        let k = json!({"kvlist_value": {"values": [{"key": "k", "value": {"bool_value": true}}]}});
        let list = json!([{"int_value": 1}, {"double_value": 2.5}, {"string_value": "x"}, {}, k]);
        assert_eq!(
            span_json(&kept.to_string()),
            json!({
                "trace_id": "q6urq6urq6urq6urq6urqw==", "span_id": "AQEBAQEBAQE=", "name": "n",
                "start_time_unix_nano": 5, "end_time_unix_nano": 7,
                "attributes": [
                    {"key": "a.b", "value": {"array_value": {"values": list}}},
                    {"key": "empty", "value": {"kvlist_value": {}}},
                    {"key": "none"},
                    {"key": "text", "value": {"string_value": "t"}},
                    {"key": "raw", "value": {"string_value": "t"}},
                ],
                "events": [{"time_unix_nano": 6, "name": "e", "attributes": [{"key": "q", "value": {"int_value": 1}}]}],
                "links": [{"trace_id": "AQ==", "span_id": "Ag=="}],
                "status": {"message": "boom", "code": "STATUS_CODE_ERROR"},
            })
        );
    }
}
