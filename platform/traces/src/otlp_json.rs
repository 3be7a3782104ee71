//! Exports in OTLP's own JSON: ids in hexadecimal, 64-bit numbers as texts. Names may be in camel or in snake case.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// None if it is not an export.
pub(crate) fn read(body: &[u8]) -> Option<ExportTraceServiceRequest> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let resource_spans = list(body.as_object()?, "resourceSpans", "resource_spans", resource_spans)?;
    Some(ExportTraceServiceRequest { resource_spans })
}

fn resource_spans(fields: &Fields) -> Option<ResourceSpans> {
    let resource = match fields.get("resource") {
        None | Some(Value::Null) => None,
        Some(resource) => Some(Resource { attributes: attributes(resource.as_object()?)?, ..Resource::default() }),
    };
    let scope_spans = list(fields, "scopeSpans", "scope_spans", |fields| {
        Some(ScopeSpans { spans: list(fields, "spans", "spans", span)?, ..ScopeSpans::default() })
    })?;
    Some(ResourceSpans { resource, scope_spans, ..ResourceSpans::default() })
}

fn span(fields: &Fields) -> Option<Span> {
    let status = match fields.get("status") {
        None | Some(Value::Null) => None,
        Some(status) => {
            let status = status.as_object()?;
            Some(Status { message: text(status, "message", "message")?, code: code(status.get("code"))? })
        }
    };
    Some(Span {
        trace_id: id(fields, "traceId", "trace_id")?,
        span_id: id(fields, "spanId", "span_id")?,
        parent_span_id: id(fields, "parentSpanId", "parent_span_id")?,
        name: text(fields, "name", "name")?,
        start_time_unix_nano: nanos(fields, "startTimeUnixNano", "start_time_unix_nano")?,
        end_time_unix_nano: nanos(fields, "endTimeUnixNano", "end_time_unix_nano")?,
        attributes: attributes(fields)?,
        events: list(fields, "events", "events", event)?,
        links: list(fields, "links", "links", link)?,
        status,
        ..Span::default()
    })
}

fn event(fields: &Fields) -> Option<Event> {
    Some(Event {
        time_unix_nano: nanos(fields, "timeUnixNano", "time_unix_nano")?,
        name: text(fields, "name", "name")?,
        attributes: attributes(fields)?,
        ..Event::default()
    })
}

fn link(fields: &Fields) -> Option<Link> {
    Some(Link {
        trace_id: id(fields, "traceId", "trace_id")?,
        span_id: id(fields, "spanId", "span_id")?,
        attributes: attributes(fields)?,
        ..Link::default()
    })
}

fn attributes(fields: &Fields) -> Option<Vec<KeyValue>> {
    list(fields, "attributes", "attributes", pair)
}

fn pair(fields: &Fields) -> Option<KeyValue> {
    let value = match fields.get("value") {
        None | Some(Value::Null) => None,
        Some(value) => Some(any(value.as_object()?)?),
    };
    Some(KeyValue { key: text(fields, "key", "key")?, value, ..KeyValue::default() })
}

fn any(fields: &Fields) -> Option<AnyValue> {
    let Some((kind, value)) = fields.iter().next() else { return Some(AnyValue { value: None }) };
    let value = match kind.as_str() {
        "stringValue" | "string_value" => Any::StringValue(value.as_str()?.to_owned()),
        "boolValue" | "bool_value" => Any::BoolValue(value.as_bool()?),
        "intValue" | "int_value" => Any::IntValue(whole(value)?),
        "doubleValue" | "double_value" => Any::DoubleValue(double(value)?),
        "bytesValue" | "bytes_value" => Any::BytesValue(STANDARD.decode(value.as_str()?).ok()?),
        "arrayValue" | "array_value" => {
            Any::ArrayValue(ArrayValue { values: list(value.as_object()?, "values", "values", any)? })
        }
        "kvlistValue" | "kvlist_value" => {
            Any::KvlistValue(KeyValueList { values: list(value.as_object()?, "values", "values", pair)? })
        }
        // A field of a later version.
        _ => return Some(AnyValue { value: None }),
    };
    Some(AnyValue { value: Some(value) })
}

fn field<'f>(fields: &'f Fields, camel: &str, snake: &str) -> Option<&'f Value> {
    fields.get(camel).or_else(|| fields.get(snake)).filter(|value| !value.is_null())
}

fn list<T>(fields: &Fields, camel: &str, snake: &str, each: impl Fn(&Fields) -> Option<T>) -> Option<Vec<T>> {
    let Some(values) = field(fields, camel, snake) else { return Some(Vec::new()) };
    values.as_array()?.iter().map(|value| each(value.as_object()?)).collect()
}

fn text(fields: &Fields, camel: &str, snake: &str) -> Option<String> {
    match field(fields, camel, snake) {
        None => Some(String::new()),
        Some(value) => value.as_str().map(str::to_owned),
    }
}

fn id(fields: &Fields, camel: &str, snake: &str) -> Option<Vec<u8>> {
    let text = text(fields, camel, snake)?;
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    if text.len() % 2 == 0 { (0..text.len()).step_by(2).map(byte).collect() } else { None }
}

fn nanos(fields: &Fields, camel: &str, snake: &str) -> Option<u64> {
    match field(fields, camel, snake) {
        None => Some(0),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64(),
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    }
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            number => number.parse().ok(),
        },
        value => value.as_f64(),
    }
}

fn code(value: Option<&Value>) -> Option<i32> {
    match value {
        None | Some(Value::Null) => Some(0),
        Some(Value::String(name)) => match name.as_str() {
            "STATUS_CODE_UNSET" => Some(0),
            "STATUS_CODE_OK" => Some(1),
            "STATUS_CODE_ERROR" => Some(2),
            _ => None,
        },
        Some(value) => i32::try_from(value.as_i64()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_read_as_the_protocol_writes_it() {
        let body = br#"{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]},
            "scopeSpans": [{"scope": {"name": "n"}, "spans": [{"traceId": "0102", "spanId": "03", "name": "x", "kind": 1,
            "startTimeUnixNano": "5", "endTimeUnixNano": 6, "status": {"code": "STATUS_CODE_ERROR", "message": "m"},
            "attributes": [{"key": "a", "value": {"arrayValue": {"values": [{"intValue": "5"}, {"doubleValue": 1}, {}]}}}],
            "events": [{"timeUnixNano": "1", "name": "e"}], "links": [{"traceId": "ff", "spanId": "ee"}], "new": {}}]}]}]}"#;
        let read = read(body).unwrap();
        let spans = &read.resource_spans[0].scope_spans[0].spans;
        let span = &spans[0];
        assert_eq!((&span.trace_id[..], &span.span_id[..], &span.parent_span_id[..]), (&[1, 2][..], &[3][..], &[][..]));
        assert_eq!((span.start_time_unix_nano, span.end_time_unix_nano), (5, 6));
        assert_eq!(span.status, Some(Status { message: "m".to_owned(), code: 2 }));
        let values = vec![
            AnyValue { value: Some(Any::IntValue(5)) },
            AnyValue { value: Some(Any::DoubleValue(1.0)) },
            AnyValue { value: None },
        ];
        let value = Some(AnyValue { value: Some(Any::ArrayValue(ArrayValue { values })) });
        assert_eq!(span.attributes[0], KeyValue { key: "a".to_owned(), value, ..KeyValue::default() });
        assert_eq!((span.events[0].name.as_str(), &span.links[0].trace_id[..]), ("e", &[255][..]));
    }

    #[test]
    fn another_type_than_the_protocols_is_refused() {
        for body in [
            r#"[]"#,
            r#"{"resourceSpans": {}}"#,
            r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}"#,
            r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "1"}]}]}]}"#,
            r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 5}]}]}]}"#,
            r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "-1"}]}]}]}"#,
        ] {
            assert!(read(body.as_bytes()).is_none(), "{body}");
        }
    }
}
