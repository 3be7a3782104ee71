use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use tiegel_store::traces::NewSpan;

use crate::attributes::{Attributes, cut, object_in, without_nul};
use crate::conventions::{KIND, MODEL, PROVIDER, USAGE, translate};
use crate::json::{push_object, push_string, separate};
use crate::limits::{MODEL_CHARS_MAX, SPAN_ATTRIBUTES_MAX, SPAN_BYTES_MAX};

const TRACE_ID: &str = "mlflow.traceRequestId";
const COST: &str = "mlflow.llm.cost";

/// A span as it is kept, and its attributes.
pub(crate) struct Kept {
    pub trace_id: String,
    pub span: NewSpan,
    pub attributes: Attributes,
}

/// Why a span is not kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It says too little, or nothing that could be: the whole export is refused.
    Bad(String),
    /// It is over a limit: it alone is left out.
    Large(String),
}

pub(crate) fn keep(mut span: Span) -> Result<Kept, Refused> {
    let trace_id = trace_id(&span.trace_id)?;
    let span_id = number(&span.span_id)?;
    if span_id == 0 {
        return Err(Refused::Bad("a span has no span id".to_owned()));
    }
    let parent_id = number(&span.parent_span_id)?;
    let start_ns = nanos(span.start_time_unix_nano)?;
    let end_ns = nanos(span.end_time_unix_nano)?;
    if span.attributes.len() > SPAN_ATTRIBUTES_MAX {
        let message = format!(
            "span '{}' has {} attributes, and {SPAN_ATTRIBUTES_MAX} are kept",
            span.name,
            span.attributes.len()
        );
        return Err(Refused::Large(message));
    }
    let mut attributes = Attributes::of(std::mem::take(&mut span.attributes));
    attributes.set(TRACE_ID, format!("\"{trace_id}\""));
    translate(&mut attributes);
    let content = content(&span, &attributes);
    if content.len() > SPAN_BYTES_MAX {
        let message = format!("span '{}' has {} bytes, and {SPAN_BYTES_MAX} are kept", span.name, content.len());
        return Err(Refused::Large(message));
    }
    let named = |key| attributes.decoded(key).filter(|text| text != "null");
    let model = |key| named(key).map(|text| without_nul(&cut(&text, MODEL_CHARS_MAX)));
    let object = |key| attributes.get(key).and_then(object_in).map(|value| value.to_string());
    let row = NewSpan {
        span_id,
        parent_id,
        start_ns,
        end_ns,
        name: without_nul(&span.name),
        kind: named(KIND).map(|text| without_nul(&cut(&text, MODEL_CHARS_MAX))),
        status: status(&span).0,
        model: model(MODEL),
        provider: model(PROVIDER),
        usage: object(USAGE),
        cost: object(COST),
        content,
    };
    Ok(Kept { trace_id, span: row, attributes })
}

/// `tr-` and 32 digits.
fn trace_id(bytes: &[u8]) -> Result<String, Refused> {
    if bytes.is_empty() || bytes.len() > 16 {
        return Err(Refused::Bad(format!("a trace id has 16 bytes, and this one {}", bytes.len())));
    }
    Ok(format!("tr-{}", padded_hex(bytes, 16)))
}

fn padded_hex(bytes: &[u8], len: usize) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = "00".repeat(len.saturating_sub(bytes.len()));
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// An id's eight bytes as one number. Nothing is 0.
fn number(bytes: &[u8]) -> Result<i64, Refused> {
    if bytes.len() > 8 {
        return Err(Refused::Bad(format!("a span id has 8 bytes, and this one {}", bytes.len())));
    }
    let mut padded = [0; 8];
    padded[8 - bytes.len()..].copy_from_slice(bytes);
    Ok(i64::from_be_bytes(padded))
}

fn nanos(nanos: u64) -> Result<i64, Refused> {
    i64::try_from(nanos).map_err(|_| Refused::Bad(format!("{nanos} nanoseconds are beyond any date")))
}

/// What a search calls it, and what the span's JSON does.
fn status(span: &Span) -> (&'static str, &'static str) {
    match span.status.as_ref().map_or(0, |status| status.code) {
        1 => ("OK", "STATUS_CODE_OK"),
        2 => ("ERROR", "STATUS_CODE_ERROR"),
        _ => ("UNSET", "STATUS_CODE_UNSET"),
    }
}

fn content(span: &Span, attributes: &Attributes) -> String {
    let texts: usize = attributes.iter().map(|(key, text)| key.len() + text.len() + text.len() / 8 + 8).sum();
    let mut out = String::with_capacity(texts + 320);
    out.push_str("{\"trace_id\": ");
    push_id(&mut out, &span.trace_id, 16);
    out.push_str(", \"span_id\": ");
    push_id(&mut out, &span.span_id, 8);
    out.push_str(", \"parent_span_id\": ");
    match number(&span.parent_span_id) {
        Ok(0) | Err(_) => out.push_str("null"),
        Ok(_) => push_id(&mut out, &span.parent_span_id, 8),
    }
    out.push_str(", \"name\": ");
    push_string(&mut out, &span.name);
    out.push_str(&format!(", \"start_time_unix_nano\": {}, \"end_time_unix_nano\": ", span.start_time_unix_nano));
    match span.end_time_unix_nano {
        0 => out.push_str("null"),
        end => out.push_str(&end.to_string()),
    }
    out.push_str(", \"events\": [");
    for (at, event) in span.events.iter().enumerate() {
        separate(&mut out, at);
        push_event(&mut out, event);
    }
    out.push_str(&format!("], \"status\": {{\"code\": \"{}\", \"message\": ", status(span).1));
    push_string(&mut out, span.status.as_ref().map_or("", |status| &status.message));
    out.push_str("}, \"attributes\": {");
    for (at, (key, text)) in attributes.iter().enumerate() {
        separate(&mut out, at);
        push_string(&mut out, key);
        out.push_str(": ");
        push_string(&mut out, text);
    }
    out.push_str("}, \"links\": [");
    for (at, link) in span.links.iter().enumerate() {
        separate(&mut out, at);
        push_link(&mut out, link);
    }
    out.push_str("]}");
    out
}

fn push_id(out: &mut String, bytes: &[u8], len: usize) {
    let mut padded = vec![0; len.saturating_sub(bytes.len())];
    padded.extend_from_slice(bytes);
    out.push('"');
    STANDARD.encode_string(&padded, out);
    out.push('"');
}

fn push_event(out: &mut String, event: &Event) {
    out.push_str("{\"name\": ");
    push_string(out, &event.name);
    out.push_str(&format!(", \"time_unix_nano\": {}, \"attributes\": ", event.time_unix_nano));
    push_object(out, &event.attributes);
    out.push('}');
}

fn push_link(out: &mut String, link: &Link) {
    out.push_str(&format!(
        "{{\"trace_id\": \"tr-{}\", \"span_id\": \"{}\", \"attributes\": ",
        padded_hex(&link.trace_id, 16),
        padded_hex(&link.span_id, 8)
    ));
    if link.attributes.is_empty() {
        out.push_str("null");
    } else {
        push_object(out, &link.attributes);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::trace::v1::Status;
    use serde_json::json;

    use super::*;

    fn text(key: &str, value: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
        KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
    }

    fn span() -> Span {
        Span {
            trace_id: vec![0xab; 16],
            span_id: vec![1; 8],
            name: "n\0é".to_owned(),
            start_time_unix_nano: 5,
            end_time_unix_nano: 7,
            ..Span::default()
        }
    }

    #[test]
    fn a_span_is_kept_as_json_that_clients_read() {
        let full = Span {
            parent_span_id: vec![2; 8],
            attributes: vec![
                text("mlflow.spanType", "LLM"),
                text("q", "a \"b\""),
                text("mlflow.chat.tokenUsage", r#"{"total_tokens": 2}"#),
            ],
            events: vec![Event {
                name: "e".to_owned(),
                time_unix_nano: 6,
                attributes: vec![text("k", "v")],
                ..Event::default()
            }],
            links: vec![Link { trace_id: vec![1; 16], span_id: vec![2; 8], ..Link::default() }],
            status: Some(Status { code: 2, message: "boom".to_owned() }),
            ..span()
        };
        let kept = keep(full).unwrap();
        let trace_id = "tr-abababababababababababababababab";
        assert_eq!(kept.trace_id, trace_id);
        let content: serde_json::Value = serde_json::from_str(&kept.span.content).unwrap();
        assert_eq!(
            content,
            json!({
                "trace_id": "q6urq6urq6urq6urq6urqw==",
                "span_id": "AQEBAQEBAQE=",
                "parent_span_id": "AgICAgICAgI=",
                "name": "n\u{fffd}é",
                "start_time_unix_nano": 5,
                "end_time_unix_nano": 7,
                "events": [{"name": "e", "time_unix_nano": 6, "attributes": {"k": "v"}}],
                "status": {"code": "STATUS_CODE_ERROR", "message": "boom"},
                "attributes": {
                    "mlflow.spanType": "\"LLM\"",
                    "q": "\"a \\\"b\\\"\"",
                    "mlflow.chat.tokenUsage": "{\"total_tokens\": 2}",
                    "mlflow.traceRequestId": format!("\"{trace_id}\""),
                },
                "links": [{"trace_id": "tr-01010101010101010101010101010101", "span_id": "0202020202020202", "attributes": null}],
            })
        );
        let NewSpan { span_id, parent_id, kind, status, usage, name, .. } = kept.span;
        assert_eq!((span_id, parent_id, status), (0x0101_0101_0101_0101, 0x0202_0202_0202_0202, "ERROR"));
        assert_eq!(
            (kind.as_deref(), usage.as_deref(), name.as_str()),
            (Some("LLM"), Some("{\"total_tokens\":2}"), "n\u{fffd}é")
        );
    }

    #[test]
    fn a_span_that_has_not_ended_and_a_short_id_are_fine() {
        let kept = keep(Span { trace_id: vec![7], span_id: vec![255; 8], end_time_unix_nano: 0, ..span() }).unwrap();
        assert_eq!(kept.trace_id, format!("tr-{}7", "0".repeat(31)));
        assert_eq!((kept.span.span_id, kept.span.end_ns, kept.span.status), (-1, 0, "UNSET"));
        assert!(kept.span.content.contains("\"end_time_unix_nano\": null"), "{}", kept.span.content);
    }

    #[test]
    fn what_is_no_span_and_what_is_too_large_are_told_apart() {
        let bad = |span| matches!(keep(span), Err(Refused::Bad(_)));
        assert!(bad(Span { trace_id: vec![], ..span() }));
        assert!(bad(Span { trace_id: vec![1; 17], ..span() }));
        assert!(bad(Span { span_id: vec![], ..span() }));
        assert!(bad(Span { parent_span_id: vec![1; 9], ..span() }));
        assert!(bad(Span { start_time_unix_nano: u64::MAX, ..span() }));
        let many = (0..=SPAN_ATTRIBUTES_MAX).map(|at| text(&at.to_string(), "")).collect();
        assert!(matches!(keep(Span { attributes: many, ..span() }), Err(Refused::Large(_))));
        let long = vec![text("k", &"x".repeat(SPAN_BYTES_MAX))];
        assert!(matches!(keep(Span { attributes: long, ..span() }), Err(Refused::Large(_))));
    }
}
