//! A trace's facts, as the protocol's third version writes them.

use serde_json::{Map, Value, json};
use tiegel_store::traces::{COST_KEYS, NewTrace, SESSION_METADATA, TOKEN_KEYS, TRACE_NAME_TAG, TraceInfo};
use tiegel_types::uri;

use crate::assessments::{assessment_json, read_assessment};
use crate::params::{Params, invalid, invalid_because, missing};
use crate::proto_json::{duration, duration_ms, timestamp, timestamp_ms};
use crate::validate::experiment_id;
use crate::{Mlflow, MlflowError, MlflowResult};

/// Characters of metadata and of tags that are shown.
const METADATA_CHARS_MAX: usize = 250;
const TAG_CHARS_MAX: usize = 4_096;
/// Bytes of a trace's id.
const TRACE_ID_BYTES_MAX: usize = 250;

pub(crate) const SPANS_LOCATION: &str = "mlflow.trace.spansLocation";
pub(crate) const IN_DATABASE: &str = "TRACKING_STORE";
pub(crate) const ARTIFACT_LOCATION: &str = "mlflow.artifactLocation";
const IN_EXPERIMENT: &str = "MLFLOW_EXPERIMENT";
const FINAL: &str = "mlflow.trace.infoFinalized";
const STATES: [&str; 4] = ["STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS"];

pub(crate) fn info_json(info: &TraceInfo) -> Value {
    let row = &info.row;
    let mut fields = Map::new();
    fields.insert("trace_id".to_owned(), json!(row.trace_id));
    put(&mut fields, "client_request_id", row.client_request_id.as_deref());
    let experiment = json!({ "experiment_id": row.experiment_id.to_string() });
    fields.insert("trace_location".to_owned(), json!({ "type": IN_EXPERIMENT, "mlflow_experiment": experiment }));
    fields.insert("request_time".to_owned(), json!(timestamp(row.timestamp_ms)));
    put(&mut fields, "execution_duration", execution_ms(info).map(duration).as_deref());
    fields.insert("state".to_owned(), json!(row.state));
    put_map(&mut fields, "trace_metadata", metadata(info), METADATA_CHARS_MAX);
    if !info.assessments.is_empty() {
        let assessments: Vec<_> = info.assessments.iter().map(assessment_json).collect();
        fields.insert("assessments".to_owned(), Value::Array(assessments));
    }
    put_map(&mut fields, "tags", tags(info), TAG_CHARS_MAX);
    put(&mut fields, "request_preview", row.request_preview.as_deref());
    put(&mut fields, "response_preview", row.response_preview.as_deref());
    Value::Object(fields)
}

pub(crate) fn execution_ms(info: &TraceInfo) -> Option<i64> {
    info.row.end_ms.map(|end| end.saturating_sub(info.row.timestamp_ms))
}

/// With what has a place of its own in the database.
pub(crate) fn tags(info: &TraceInfo) -> Vec<(String, String)> {
    let row = &info.row;
    let mut tags = info.tags.clone();
    let mut default = |key: &str, value: Option<String>| {
        if let Some(value) = value.filter(|_| !info.tags.iter().any(|(known, _)| known == key)) {
            tags.push((key.to_owned(), value));
        }
    };
    default(TRACE_NAME_TAG, row.name.clone());
    default(SPANS_LOCATION, row.has_spans.then(|| IN_DATABASE.to_owned()));
    default(ARTIFACT_LOCATION, Some(artifact_uri(info)));
    tags
}

/// Where the files of a trace are, as the server told the client. The tag that says so may be set to any place.
pub(crate) fn artifact_uri(info: &TraceInfo) -> String {
    uri::append(&info.row.artifact_location, &["traces", &info.row.trace_id, "artifacts"])
}

/// With what has a place of its own in the database.
pub(crate) fn metadata(info: &TraceInfo) -> Vec<(String, String)> {
    let mut metadata = info.metadata.clone();
    let mut put = |key: &str, value: Option<String>| metadata.extend(value.map(|value| (key.to_owned(), value)));
    put(SESSION_METADATA, info.row.session_id.clone());
    put("mlflow.trace.tokenUsage", usage(info, &TOKEN_KEYS, |count| format!("{count:.0}")));
    put("mlflow.trace.cost", usage(info, &COST_KEYS, |amount| Value::from(amount).to_string()));
    put(FINAL, info.row.is_final.then(|| "true".to_owned()));
    metadata
}

fn usage(info: &TraceInfo, keys: &[&str], write: fn(f64) -> String) -> Option<String> {
    let value = |key: &str| info.usage.iter().find(|(known, _)| known == key).map(|(_, value)| *value);
    let fields: Vec<_> = keys.iter().filter_map(|key| Some(format!("\"{key}\": {}", write(value(key)?)))).collect();
    (!fields.is_empty()).then(|| format!("{{{}}}", fields.join(", ")))
}

fn put(fields: &mut Map<String, Value>, key: &str, text: Option<&str>) {
    fields.extend(text.map(|text| (key.to_owned(), json!(text))));
}

fn put_map(fields: &mut Map<String, Value>, key: &str, pairs: Vec<(String, String)>, chars_max: usize) {
    if !pairs.is_empty() {
        let pairs = pairs.into_iter().map(|(key, value)| (key, Value::String(cut(value, chars_max)))).collect();
        fields.insert(key.to_owned(), Value::Object(pairs));
    }
}

pub(crate) fn cut(mut text: String, chars_max: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(chars_max) {
        text.truncate(end);
    }
    text
}

/// A whole trace of a request.
pub(crate) fn read_info(state: &Mlflow, fields: &Params) -> MlflowResult<NewTrace> {
    let trace_id = fields.required_text("trace_id")?.to_owned();
    if trace_id.len() > TRACE_ID_BYTES_MAX {
        return Err(MlflowError::invalid(format!("a trace id has at most {TRACE_ID_BYTES_MAX} bytes")));
    }
    let location = fields.message("trace_location")?.ok_or_else(|| missing("trace.trace_info.trace_location"))?;
    let experiment = location
        .message("mlflow_experiment")?
        .filter(|_| matches!(location.get("type"), Ok(Some(kind)) if *kind == IN_EXPERIMENT || *kind == 1))
        .ok_or_else(|| {
            let why = "traces are kept in experiments: give the location an mlflow_experiment and its type";
            MlflowError::invalid(format!("{why}, {IN_EXPERIMENT}"))
        })?;
    let timestamp_ms = timed(fields, "request_time", timestamp_ms)?.unwrap_or(0);
    let duration = timed(fields, "execution_duration", duration_ms)?;
    let text = |name| -> MlflowResult<Option<String>> { Ok(fields.text(name)?.map(str::to_owned)) };
    let assessments = fields.messages("assessments")?;
    Ok(NewTrace {
        experiment_id: experiment_id(experiment.text("experiment_id")?.unwrap_or_default())?,
        timestamp_ms,
        end_ms: duration.map(|duration| timestamp_ms.saturating_add(duration)),
        state: state_of(fields)?.to_owned(),
        client_request_id: text("client_request_id")?,
        request_preview: text("request_preview")?,
        response_preview: text("response_preview")?,
        tags: read_map(fields, "tags")?,
        metadata: read_map(fields, "trace_metadata")?,
        assessments: assessments
            .iter()
            .map(|fields| read_assessment(state, &trace_id, fields))
            .collect::<MlflowResult<_>>()?,
        trace_id,
        is_final: true,
    })
}

pub(crate) fn timed(fields: &Params, name: &str, read: fn(&str) -> Option<i64>) -> MlflowResult<Option<i64>> {
    let Some(value) = fields.get(name)? else { return Ok(None) };
    value.as_str().and_then(read).map(Some).ok_or_else(|| invalid(name, value))
}

fn state_of(fields: &Params) -> MlflowResult<&'static str> {
    let Some(value) = fields.get("state")? else { return Ok(STATES[0]) };
    let known = match value {
        Value::Number(number) => number.as_u64().and_then(|at| STATES.get(usize::try_from(at).ok()?)),
        _ => STATES.iter().find(|state| value == **state),
    };
    known.copied().ok_or_else(|| invalid_because("state", value, "there is no such state"))
}

/// An object whose values are texts.
pub(crate) fn read_map(fields: &Params, name: &str) -> MlflowResult<Vec<(String, String)>> {
    let Some(value) = fields.get(name)? else { return Ok(Vec::new()) };
    let pairs = value.as_object().ok_or_else(|| invalid(name, value))?;
    pairs
        .iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            other => Err(invalid(name, other)),
        })
        .collect()
}
