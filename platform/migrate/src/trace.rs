//! A trace between two servers: its facts as MLflow's protocol writes them, its spans as OTLP does in JSON.

mod spans;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use tiegel_store::foreign::{ForeignAssessment, ForeignTrace};
use tiegel_types::Digest;

use crate::fields::Fields;

/// The tag that says where a trace's files are.
const ARTIFACT_LOCATION_TAG: &str = "mlflow.artifactLocation";

#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// `TraceInfoV3`.
    pub info: Value,
    pub spans: Vec<Value>,
}

impl Trace {
    pub fn of_answer(info: Value, spans: &[Value]) -> Self {
        Self { info, spans: spans.iter().map(spans::of_proto).collect() }
    }

    pub fn of_rows(trace: ForeignTrace) -> anyhow::Result<Self> {
        let id = trace.trace_id.clone();
        let spans = trace.spans.iter().map(|content| spans::of_content(content, &id)).collect::<anyhow::Result<_>>()?;
        let pairs = |pairs: Vec<(String, String)>| -> Value {
            pairs.into_iter().map(|(key, value)| (key, json!(value))).collect::<Map<_, _>>().into()
        };
        let assessments: Vec<_> =
            trace.assessments.into_iter().map(|a| assessment(a, &id)).collect::<anyhow::Result<_>>()?;
        let mut info = json!({
            "trace_id": trace.trace_id,
            "client_request_id": trace.client_request_id,
            "request_preview": trace.request_preview,
            "response_preview": trace.response_preview,
            "request_time": time(trace.timestamp_ms)?,
            "execution_duration": trace.duration_ms.map(duration),
            "state": trace.state,
            "trace_metadata": pairs(trace.metadata),
            "tags": pairs(trace.tags),
            "assessments": assessments,
        });
        without_nulls(&mut info);
        let mut trace_with_place = Self { info, spans };
        trace_with_place.place_in(trace.experiment_id);
        Ok(trace_with_place)
    }

    pub fn id(&self) -> String {
        self.info.text("trace_id")
    }

    pub fn experiment(&self) -> Option<i64> {
        self.info["trace_location"]["mlflow_experiment"].int("experiment_id")
    }

    pub fn place_in(&mut self, experiment: i64) {
        self.info["trace_location"] =
            json!({ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": experiment.to_string() } });
    }

    /// Where its files are; a server that takes the trace gives it a place of its own.
    pub fn artifact_location(&self) -> Option<String> {
        self.info["tags"].text_opt(ARTIFACT_LOCATION_TAG)
    }

    /// Leaves the place of its files to the server that takes the trace: MLflow's refuses one that comes with it.
    pub fn forget_artifact_location(&mut self) {
        if let Some(tags) = self.info["tags"].as_object_mut() {
            tags.remove(ARTIFACT_LOCATION_TAG);
        }
    }

    pub fn assessments(&self) -> usize {
        self.info.list("assessments").len()
    }

    pub fn mark(&self) -> Digest {
        Digest::of_json(&json!([self.info, self.spans]))
    }

    /// The body that OTLP sends; none where there are no spans.
    pub fn otlp(&self) -> Option<Value> {
        let spans = &self.spans;
        (!spans.is_empty()).then(|| json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] }))
    }
}

fn time(ms: i64) -> anyhow::Result<String> {
    let time = DateTime::from_timestamp_millis(ms).with_context(|| format!("{ms} ms is no time"))?;
    Ok(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

fn duration(ms: i64) -> String {
    format!("{}.{:03}s", ms / 1_000, ms.rem_euclid(1_000))
}

fn assessment(row: ForeignAssessment, trace_id: &str) -> anyhow::Result<Value> {
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text));
    let value = parsed(&row.value);
    let mut assessment = json!({
        "assessment_id": row.assessment_id,
        "assessment_name": row.name,
        "trace_id": trace_id,
        "span_id": row.span_id,
        "source": { "source_type": row.source_type, "source_id": row.source_id },
        "create_time": time(row.created_ms)?,
        "last_update_time": time(row.updated_ms)?,
        "rationale": row.rationale,
        "metadata": row.metadata.as_deref().map(parsed),
        "overrides": row.overrides,
    });
    match row.kind.as_str() {
        "expectation" if value.is_object() || value.is_array() => {
            let serialized = json!({ "serialization_format": "JSON_FORMAT", "value": value.to_string() });
            assessment["expectation"] = json!({ "serialized_value": serialized });
        }
        "expectation" => assessment["expectation"] = json!({ "value": value }),
        "issue" => assessment["issue"] = value,
        _ => assessment["feedback"] = json!({ "value": value, "error": row.error.as_deref().map(parsed) }),
    }
    without_nulls(&mut assessment);
    Ok(assessment)
}

/// A field that is null is one that is not set, but for the value of an assessment.
fn without_nulls(value: &mut Value) {
    let Value::Object(fields) = value else { return };
    fields.retain(|name, field| !field.is_null() || name == "value");
    fields.values_mut().for_each(without_nulls);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_what_the_protocol_says() {
        let trace = ForeignTrace {
            trace_id: "tr-0fc6193fdad3d13a36d2cae6bb39b189".to_owned(),
            experiment_id: 4,
            timestamp_ms: 1_795_449_801_417,
            duration_ms: Some(1_027),
            state: "ERROR".to_owned(),
            client_request_id: None,
            request_preview: Some("{}".to_owned()),
            response_preview: None,
            tags: vec![("k".to_owned(), "v".to_owned())],
            metadata: vec![],
            assessments: vec![ForeignAssessment {
                assessment_id: "a-1".to_owned(),
                name: "answer".to_owned(),
                kind: "expectation".to_owned(),
                value: r#"{"text": "?"}"#.to_owned(),
                error: None,
                created_ms: 1_000,
                updated_ms: 2_500,
                source_type: "HUMAN".to_owned(),
                source_id: Some("ann".to_owned()),
                span_id: None,
                rationale: None,
                overrides: None,
                metadata: None,
            }],
            spans: vec![],
        };
        let trace = Trace::of_rows(trace).unwrap();
        assert_eq!(trace.info["request_time"], "2026-11-23T16:03:21.417Z");
        assert_eq!(trace.info["execution_duration"], "1.027s");
        assert_eq!(trace.experiment(), Some(4));
        assert!(trace.info.get("response_preview").is_none());
        let assessment = &trace.info["assessments"][0];
        assert_eq!(assessment["expectation"]["serialized_value"]["value"], r#"{"text":"?"}"#);
        assert_eq!(assessment["last_update_time"], "1970-01-01T00:00:02.500Z");
    }
}
