use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use tiegel_store::traces::{SpanBatch, TRACE_NAME_TAG, TracePart};

use crate::attributes::{Attributes, cut, decoded, is_tag_key, tag_value, tags_of_resource, without_nul};
use crate::conventions::{INPUTS, OUTPUTS};
use crate::limits::{SESSION_CHARS_MAX, SPANS_MAX, TAG_VALUE_CHARS_MAX};
use crate::preview::preview;
use crate::span::{Kept, Refused, keep};
use crate::{IngestError, Ingested};

/// A tag of the trace, as an attribute of its root span.
const TAG_PREFIX: &str = "mlflow.traceTag.";
const USER: &str = "user.id";
const SESSIONS: [&str; 2] = ["session.id", "gen_ai.conversation.id"];
const USER_METADATA: &str = "mlflow.trace.user";

/// An export by trace.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub batch: SpanBatch,
    /// The traces whose root span is among the spans.
    pub complete: Vec<String>,
    pub ingested: Ingested,
}

pub(crate) fn batch(request: ExportTraceServiceRequest, experiment_id: i64) -> Result<Parts, IngestError> {
    let groups = || request.resource_spans.iter().flat_map(|group| &group.scope_spans);
    let len: usize = groups().map(|group| group.spans.len()).sum();
    if len > SPANS_MAX {
        let message = format!("an export has at most {SPANS_MAX} spans, and this one {len}: send fewer at once");
        return Err(IngestError::Malformed(message));
    }
    let mut parts = Parts::default();
    parts.batch.experiment_id = experiment_id;
    for group in request.resource_spans {
        let attributes = group.resource.map(|resource| resource.attributes).unwrap_or_default();
        let resource: BTreeMap<String, String> = tags_of_resource(attributes).collect();
        for span in group.scope_spans.into_iter().flat_map(|group| group.spans) {
            match keep(span) {
                Ok(kept) => parts.add(kept, &resource),
                Err(Refused::Bad(why)) => {
                    return Err(IngestError::BadSpan(format!(
                        "Cannot convert OpenTelemetry span to MLflow span: {why}"
                    )));
                }
                Err(Refused::Large(why)) => {
                    parts.ingested.rejected += 1;
                    parts.ingested.reason.get_or_insert(why);
                }
            }
        }
    }
    Ok(parts)
}

impl Parts {
    fn add(&mut self, kept: Kept, resource: &BTreeMap<String, String>) {
        let Kept { trace_id, span, attributes } = kept;
        self.ingested.spans += 1;
        let is_root = span.parent_id == 0;
        let is_new = !self.batch.traces.contains_key(&trace_id);
        if is_root {
            self.complete.push(trace_id.clone());
        }
        let part = self.batch.traces.entry(trace_id).or_default();
        if is_new {
            part.tags.extend(resource.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        let text = |key: &str| attributes.filled(key).map(decoded).filter(|text| !text.is_empty());
        if part.session_id.is_none() {
            let session = SESSIONS.into_iter().find_map(text);
            part.session_id = session.map(|session| without_nul(&cut(&session, SESSION_CHARS_MAX)));
        }
        if let Some(user) = text(USER) {
            part.metadata.entry(USER_METADATA.to_owned()).or_insert_with(|| tag_value(&user));
        }
        if is_root {
            add_root(part, &attributes, &span.name, span.status);
        }
        part.spans.push(span);
    }
}

fn add_root(part: &mut TracePart, attributes: &Attributes, name: &str, status: &str) {
    part.state = Some(if status == "ERROR" { "ERROR" } else { "OK" });
    part.name = Some(cut(name, TAG_VALUE_CHARS_MAX)).filter(|name| !name.is_empty());
    let seen =
        |key, role| attributes.get(key).filter(|json| *json != "null").map(|json| without_nul(&preview(json, role)));
    part.request_preview = seen(INPUTS, "user");
    part.response_preview = seen(OUTPUTS, "assistant");
    for (key, json) in attributes.iter() {
        let Some(key) = key.strip_prefix(TAG_PREFIX).filter(|key| is_tag_key(key)) else { continue };
        let value = tag_value(&decoded(json));
        if key == TRACE_NAME_TAG {
            part.given_name = Some(value);
        } else {
            part.tags.insert(key.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

    use super::*;
    use crate::SPAN_ATTRIBUTES_MAX;

    fn text(key: &str, value: &str) -> KeyValue {
        let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
        KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
    }

    fn span(trace: u8, id: u8, parent: u8, attributes: Vec<KeyValue>) -> Span {
        let parent_span_id = if parent == 0 { Vec::new() } else { vec![parent; 8] };
        Span {
            trace_id: vec![trace; 16],
            span_id: vec![id; 8],
            parent_span_id,
            name: format!("span {id}"),
            start_time_unix_nano: 1,
            end_time_unix_nano: 2,
            attributes,
            ..Span::default()
        }
    }

    fn export(resource: Vec<KeyValue>, spans: Vec<Span>) -> ExportTraceServiceRequest {
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource = Some(Resource { attributes: resource, ..Resource::default() });
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }],
        }
    }

    #[test]
    fn the_root_span_tells_of_its_trace() {
        let root = vec![
            text("mlflow.spanInputs", r#"{"q": 1}"#),
            text("mlflow.spanOutputs", "yes"),
            text("mlflow.traceTag.mlflow.traceName", "named"),
            text("mlflow.traceTag.fruit", "apple"),
            text("mlflow.traceTag.bad\nkey", "x"),
            text("user.id", "ann"),
        ];
        let resource = vec![text("service.name", "shop"), text("telemetry.sdk.name", "x"), text("mlflow.x", "y")];
        let failed = Status { code: 2, ..Status::default() };
        let spans = vec![
            span(1, 2, 1, vec![text("session.id", "s")]),
            Span { status: Some(failed), ..span(1, 1, 0, root) },
            span(2, 1, 9, vec![]),
        ];
        let parts = batch(export(resource, spans), 7).unwrap();
        assert_eq!((parts.ingested.spans, parts.batch.experiment_id, parts.batch.traces.len()), (3, 7, 2));
        let id = format!("tr-{}", "01".repeat(16));
        assert_eq!(parts.complete, std::slice::from_ref(&id));
        let part = &parts.batch.traces[&id];
        assert_eq!(
            (part.state, part.name.as_deref(), part.given_name.as_deref()),
            (Some("ERROR"), Some("span 1"), Some("named"))
        );
        assert_eq!(part.request_preview.as_deref(), Some(r#"{"q": 1}"#));
        assert_eq!(part.response_preview.as_deref(), Some("\"yes\""));
        assert_eq!((part.session_id.as_deref(), part.metadata["mlflow.trace.user"].as_str()), (Some("s"), "ann"));
        let tags: Vec<_> = part.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(tags, [("fruit", "apple"), ("service.name", "shop")]);
        let other = &parts.batch.traces[&format!("tr-{}", "02".repeat(16))];
        assert_eq!((other.state, other.name.as_deref()), (None, None));
    }

    #[test]
    fn a_span_over_a_limit_is_left_out_and_a_bad_one_refuses_all() {
        let many = (0..=SPAN_ATTRIBUTES_MAX).map(|at| text(&at.to_string(), "")).collect();
        let parts = batch(export(vec![], vec![span(1, 1, 0, many), span(1, 2, 1, vec![])]), 1).unwrap();
        assert_eq!((parts.ingested.spans, parts.ingested.rejected), (1, 1));
        assert!(parts.ingested.reason.unwrap().contains("attributes"));
        let bad = Span { trace_id: vec![], ..span(1, 1, 0, vec![]) };
        assert!(matches!(batch(export(vec![], vec![bad]), 1), Err(IngestError::BadSpan(_))));
        let spans = (0..=SPANS_MAX).map(|_| Span::default()).collect();
        assert!(matches!(batch(export(vec![], spans), 1), Err(IngestError::Malformed(_))));
    }
}
