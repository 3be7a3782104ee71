//! Spans as OTLP writes them in JSON: names in camel case, ids in hexadecimal, statuses as numbers.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use crate::fields::Fields;

const IDS: [&str; 3] = ["traceId", "spanId", "parentSpanId"];

/// A span as an answer of the protocol has it: names in snake case, ids in base64.
pub fn of_proto(span: &Value) -> Value {
    let mut span = camel(span);
    hex_ids(&mut span);
    for link in span["links"].as_array_mut().into_iter().flatten() {
        hex_ids(link);
    }
    if let Some(status) = span.get_mut("status") {
        status["code"] = json!(status_code(&status["code"]));
    }
    span
}

/// A span as MLflow's database keeps it: attributes in an object, each value as JSON in a text.
pub fn of_content(content: &str, trace_id: &str) -> anyhow::Result<Value> {
    let span: Value = serde_json::from_str(content).with_context(|| format!("a span of {trace_id} cannot be read"))?;
    let attribute = |(key, value): (&String, &Value)| {
        let parsed = value.as_str().and_then(|text| serde_json::from_str(text).ok());
        json!({ "key": key, "value": any_value(parsed.as_ref().unwrap_or(value)) })
    };
    let plain = |(key, value): (&String, &Value)| json!({ "key": key, "value": any_value(value) });
    let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let event = |event: &Value| {
        json!({
            "name": event.text("name"),
            "timeUnixNano": event.text("time_unix_nano"),
            "attributes": object(&event["attributes"]).iter().map(plain).collect::<Vec<_>>(),
        })
    };
    let link = |link: &Value| {
        json!({
            "traceId": hex_of_trace(&link.text("trace_id")),
            "spanId": hex_of(&link.text("span_id")),
            "attributes": object(&link["attributes"]).iter().map(plain).collect::<Vec<_>>(),
        })
    };
    let mut read = json!({
        "traceId": hex_of_trace(trace_id),
        "spanId": hex_of(&span.text("span_id")),
        "name": span.text("name"),
        "startTimeUnixNano": span.text("start_time_unix_nano"),
        "endTimeUnixNano": span.text("end_time_unix_nano"),
        "attributes": object(&span["attributes"]).iter().map(attribute).collect::<Vec<_>>(),
        "events": span.list("events").iter().map(event).collect::<Vec<_>>(),
        "links": span.list("links").iter().map(link).collect::<Vec<_>>(),
        "status": { "code": status_code(&span["status"]["code"]), "message": span["status"].text("message") },
    });
    if let Some(parent) = span.text_opt("parent_span_id") {
        read["parentSpanId"] = json!(hex_of(&parent));
    }
    if span["end_time_unix_nano"].is_null()
        && let Some(fields) = read.as_object_mut()
    {
        fields.remove("endTimeUnixNano");
    }
    Ok(read)
}

fn status_code(code: &Value) -> i64 {
    match code.as_str() {
        Some("STATUS_CODE_OK" | "OK") => 1,
        Some("STATUS_CODE_ERROR" | "ERROR") => 2,
        Some(_) => 0,
        None => code.as_i64().unwrap_or_default(),
    }
}

fn any_value(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({ "boolValue": flag }),
        Value::Number(number) if number.is_i64() => json!({ "intValue": number.to_string() }),
        Value::Number(number) => json!({ "doubleValue": number }),
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(values) => json!({ "arrayValue": { "values": values.iter().map(any_value).collect::<Vec<_>>() } }),
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| json!({ "key": key, "value": any_value(value) });
            json!({ "kvlistValue": { "values": fields.iter().map(field).collect::<Vec<_>>() } })
        }
    }
}

fn camel(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(camel).collect(),
        Value::Object(fields) => {
            let renamed: Map<_, _> = fields.iter().map(|(name, field)| (camel_name(name), camel(field))).collect();
            Value::Object(renamed)
        }
        other => other.clone(),
    }
}

fn camel_name(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut chars = word.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
    }
    camel
}

fn hex_ids(value: &mut Value) {
    for name in IDS {
        if let Some(id) = value.get(name).and_then(Value::as_str) {
            value[name] = json!(hex_of(id));
        }
    }
}

/// Base64 becomes hexadecimal; hexadecimal stays.
fn hex_of(id: &str) -> String {
    let id = id.strip_prefix("0x").unwrap_or(id);
    // The eight bytes of a span are 16 digits, the sixteen of a trace 32; in base64 they are 12 and 24.
    match (id.len(), BASE64.decode(id)) {
        (12 | 24, Ok(bytes)) => hex::encode(bytes),
        _ => id.to_owned(),
    }
}

/// MLflow writes a trace's id with `tr-` before it.
fn hex_of_trace(id: &str) -> String {
    hex_of(id.strip_prefix("tr-").unwrap_or(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "tr-0fc6193fdad3d13a36d2cae6bb39b189";

    #[test]
    fn a_row_and_an_answer_say_the_same() {
        let content = r#"{"trace_id": "D8YZP9rT0To20srmuzmxiQ==", "span_id": "zUi5sA1Kcio=", "parent_span_id": null,
            "name": "outer", "start_time_unix_nano": 1795449801417532271, "end_time_unix_nano": 1795449801444821309,
            "events": [{"name": "exception", "time_unix_nano": 5, "attributes": {"exception.type": "ValueError"}}],
            "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
            "attributes": {"mlflow.spanType": "\"CHAIN\"", "depth": "1", "mlflow.spanInputs": "{\"q\": [0.5, null]}"},
            "links": []}"#;
        let answer = json!({
            "trace_id": "D8YZP9rT0To20srmuzmxiQ==", "span_id": "zUi5sA1Kcio=", "name": "outer",
            "start_time_unix_nano": "1795449801417532271", "end_time_unix_nano": "1795449801444821309",
            "events": [{"name": "exception", "time_unix_nano": "5",
                "attributes": [{"key": "exception.type", "value": {"string_value": "ValueError"}}]}],
            "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
            "attributes": [
                {"key": "mlflow.spanType", "value": {"string_value": "CHAIN"}},
                {"key": "depth", "value": {"int_value": "1"}},
                {"key": "mlflow.spanInputs", "value": {"kvlist_value": {"values": [{"key": "q", "value":
                    {"array_value": {"values": [{"double_value": 0.5}, {}]}}}]}}},
            ],
            "links": [],
        });
        let read = of_content(content, TRACE).unwrap();
        assert_eq!(read, of_proto(&answer));
        assert_eq!(read["traceId"], "0fc6193fdad3d13a36d2cae6bb39b189");
        assert_eq!((&read["spanId"], &read["status"]["code"]), (&json!("cd48b9b00d4a722a"), &json!(2)));
        assert!(read.get("parentSpanId").is_none());
    }

    #[test]
    fn a_span_that_has_not_ended_has_no_end() {
        let content = r#"{"span_id": "0xcd48b9b00d4a722a", "parent_span_id": "AAAAAAAAAAE=", "name": "s",
            "start_time_unix_nano": 5, "end_time_unix_nano": null, "status": {"code": "STATUS_CODE_UNSET"}}"#;
        let read = of_content(content, TRACE).unwrap();
        assert!(read.get("endTimeUnixNano").is_none());
        assert_eq!((&read["spanId"], &read["parentSpanId"]), (&json!("cd48b9b00d4a722a"), &json!("0000000000000001")));
    }
}
