//! What people, judges and code say of a trace.

use axum::Router;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use tiegel_store::StoreError;
use tiegel_store::traces::{AssessmentIds, AssessmentRow, SESSION_METADATA};

use crate::params::{Params, invalid, invalid_because, missing};
use crate::proto_json::{as_doubles, python_text, timestamp, timestamp_ms};
use crate::traces::info::{read_map, timed};
use crate::wire::Answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult};

/// The metadata that names the run which made an assessment.
const SOURCE_RUN: &str = "mlflow.assessment.sourceRunId";
const SOURCES: [&str; 4] = ["SOURCE_TYPE_UNSPECIFIED", "HUMAN", "LLM_JUDGE", "CODE"];
const FORMAT: &str = "JSON_FORMAT";
/// Characters of a stack trace that are kept: its end tells more.
const STACK_CHARS_MAX: usize = 10_000;
const STACK_CUT: &str = "[Stack trace is truncated]\n...\n";

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/3.0/mlflow/traces/{trace_id}/assessments", post(create))
        .route("/3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", get(read).patch(update).delete(delete))
}

struct Ids(AssessmentIds);

impl FromRequestParts<Mlflow> for Ids {
    type Rejection = MlflowError;

    async fn from_request_parts(parts: &mut Parts, state: &Mlflow) -> MlflowResult<Self> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((trace_id, assessment_id)) = path.map_err(|why| MlflowError::invalid(why.body_text()))?;
        Ok(Self(AssessmentIds { trace_id, assessment_id }))
    }
}

async fn create(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(trace_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let fields = params.message("assessment")?.ok_or_else(|| missing("assessment"))?;
    let row = read_assessment(&state, &trace_id, &fields)?;
    state.ctx.store.create_assessment(&workspace.scope(), row.clone()).await?;
    Ok(answer(&row))
}

async fn read(State(state): State<Mlflow>, workspace: Workspace, Ids(ids): Ids) -> MlflowResult<Answer> {
    Ok(answer(&state.ctx.store.assessment(&workspace.scope(), &ids).await?))
}

async fn update(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Ids(ids): Ids,
    params: Params,
) -> MlflowResult<Answer> {
    let fields = params.message("assessment")?.ok_or_else(|| missing("assessment"))?;
    let paths = mask(&params)?;
    let update = Update::read(&fields, &paths)?;
    let now_ms = state.ctx.now_ms();
    let change = Box::new(move |row: &mut AssessmentRow| update.apply(row, now_ms));
    Ok(answer(&state.ctx.store.change_assessment(&workspace.scope(), &ids, change).await?))
}

async fn delete(State(state): State<Mlflow>, workspace: Workspace, Ids(ids): Ids) -> MlflowResult<Answer> {
    state.ctx.store.delete_assessment(&workspace.scope(), &ids).await?;
    Ok(Answer(json!({})))
}

fn answer(row: &AssessmentRow) -> Answer {
    Answer(json!({ "assessment": assessment_json(row) }))
}

pub(crate) fn assessment_json(row: &AssessmentRow) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Option<Value>| fields.extend(value.map(|value| (key.to_owned(), value)));
    put("assessment_id", Some(json!(row.assessment_id)));
    put("assessment_name", Some(json!(row.name)));
    put("trace_id", Some(json!(row.trace_id)));
    put("span_id", row.span_id.as_ref().map(|id| json!(id)));
    let mut source = json!({ "source_type": row.source_type });
    if let Some(id) = &row.source_id {
        source["source_id"] = json!(id);
    }
    put("source", Some(source));
    put("create_time", Some(json!(timestamp(row.created_ms))));
    put("last_update_time", Some(json!(timestamp(row.updated_ms))));
    let value = said(row);
    put(&row.kind, Some(value));
    put("rationale", row.rationale.as_ref().map(|text| json!(text)));
    put("metadata", row.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok()));
    put("overrides", row.overrides.as_ref().map(|id| json!(id)));
    put("valid", Some(json!(row.is_valid)));
    Value::Object(fields)
}

fn said(row: &AssessmentRow) -> Value {
    let value: Value = serde_json::from_str(&row.value).unwrap_or_default();
    match row.kind.as_str() {
        "issue" => value,
        "expectation" if value.is_array() || value.is_object() => {
            json!({ "serialized_value": { "serialization_format": FORMAT, "value": row.value } })
        }
        "expectation" => json!({ "value": as_doubles(value) }),
        _ => {
            let mut feedback = json!({ "value": as_doubles(value) });
            if let Some(error) = row.error.as_deref().and_then(|error| serde_json::from_str(error).ok()) {
                feedback["error"] = error;
            }
            feedback
        }
    }
}

/// An assessment of a request.
pub(crate) fn read_assessment(state: &Mlflow, trace_id: &str, fields: &Params) -> MlflowResult<AssessmentRow> {
    let now_ms = state.ctx.now_ms();
    let said = Said::read(fields)?.ok_or_else(|| {
        MlflowError::invalid("Exactly one of `expectation`, `feedback`, or `issue` should be specified.")
    })?;
    let text = |name| -> MlflowResult<Option<String>> {
        Ok(fields.text(name)?.filter(|text| !text.is_empty()).map(str::to_owned))
    };
    let time =
        |name| -> MlflowResult<i64> { Ok(timed(fields, name, timestamp_ms)?.filter(|ms| *ms != 0).unwrap_or(now_ms)) };
    let (source_type, source_id) = source(fields)?;
    let metadata = read_map(fields, "metadata")?;
    let mut row = AssessmentRow {
        assessment_id: text("assessment_id")?.unwrap_or_else(|| format!("a-{}", state.ctx.new_uuid().simple())),
        trace_id: trace_id.to_owned(),
        name: fields.text("assessment_name")?.unwrap_or_default().to_owned(),
        source_type: source_type.to_owned(),
        source_id,
        span_id: text("span_id")?,
        rationale: text("rationale")?,
        overrides: text("overrides")?,
        is_valid: true,
        created_ms: time("create_time")?,
        updated_ms: time("last_update_time")?,
        ..AssessmentRow::default()
    };
    said.put(&mut row);
    put_metadata(&mut row, metadata);
    row.run_id = value_of(row.metadata.as_deref(), SOURCE_RUN);
    Ok(row)
}

fn source(fields: &Params) -> MlflowResult<(&'static str, Option<String>)> {
    let Some(source) = fields.message("source")? else { return Ok((SOURCES[0], None)) };
    let id = source.text("source_id")?.filter(|id| !id.is_empty()).map(str::to_owned);
    let Some(value) = source.get("source_type")? else { return Ok((SOURCES[0], id)) };
    let known = match value {
        Value::Number(number) => number.as_u64().and_then(|at| SOURCES.get(usize::try_from(at).ok()?)),
        value => SOURCES.iter().find(|known| value == **known),
    };
    let known = known.ok_or_else(|| {
        invalid_because("source_type", value, "it must be one of HUMAN, LLM_JUDGE, CODE, SOURCE_TYPE_UNSPECIFIED")
    })?;
    Ok((known, id))
}

fn put_metadata(row: &mut AssessmentRow, metadata: Vec<(String, String)>) {
    let mut fields: Map<String, Value> =
        row.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    fields.extend(metadata.into_iter().map(|(key, value)| (key, Value::String(value))));
    row.is_session_wide = fields.contains_key(SESSION_METADATA);
    row.metadata = (!fields.is_empty()).then(|| Value::Object(fields).to_string());
}

fn value_of(metadata: Option<&str>, key: &str) -> Option<String> {
    let fields: Map<String, Value> = serde_json::from_str(metadata?).ok()?;
    Some(fields.get(key)?.as_str()?.to_owned())
}

/// What an assessment says: its kind, its value and, of feedback, why there is none.
struct Said {
    kind: &'static str,
    value: Value,
    error: Option<Value>,
}

impl Said {
    fn read(fields: &Params) -> MlflowResult<Option<Self>> {
        let (feedback, expectation, issue) =
            (fields.message("feedback")?, fields.message("expectation")?, fields.message("issue")?);
        Ok(match (feedback, expectation, issue) {
            (Some(feedback), None, None) => Some(Self::feedback(&feedback)?),
            (None, Some(expectation), None) => Some(Self::expectation(&expectation)?),
            (None, None, Some(issue)) => {
                let name = issue.text("issue_name")?.unwrap_or_default();
                Some(Self { kind: "issue", value: json!({ "issue_name": name }), error: None })
            }
            _ => None,
        })
    }

    fn feedback(fields: &Params) -> MlflowResult<Self> {
        let value = fields.get("value")?.cloned().unwrap_or_default();
        let error = fields.message("error")?.map(|error| read_error(&error)).transpose()?;
        Ok(Self { kind: "feedback", value: as_doubles(value), error })
    }

    fn expectation(fields: &Params) -> MlflowResult<Self> {
        let value = match fields.message("serialized_value")? {
            None => as_doubles(fields.get("value")?.cloned().unwrap_or_default()),
            Some(serialized) => {
                let format = serialized.text("serialization_format")?.unwrap_or_default();
                if format != FORMAT {
                    return Err(MlflowError::invalid(format!(
                        "Unknown serialization format: {format}. Only JSON_FORMAT is supported."
                    )));
                }
                let text = serialized.text("value")?.unwrap_or_default();
                serde_json::from_str(text).map_err(|why| {
                    MlflowError::invalid(format!("the expectation's serialized_value is not valid JSON: {why}"))
                })?
            }
        };
        Ok(Self { kind: "expectation", value, error: None })
    }

    fn put(self, row: &mut AssessmentRow) {
        row.kind = self.kind.to_owned();
        (row.number, row.is_number) = number(&self.value);
        row.value = python_text(&self.value);
        row.error = self.error.map(|error| error.to_string());
    }
}

/// A flag and a yes count as 1, without being numbers.
fn number(value: &Value) -> (Option<f64>, bool) {
    match value {
        Value::Bool(flag) => (Some(f64::from(*flag)), false),
        Value::Number(number) => (number.as_f64(), number.as_f64().is_some()),
        Value::String(text) => match text.trim().to_lowercase().as_str() {
            "yes" => (Some(1.0), false),
            "no" => (Some(0.0), false),
            _ => (None, false),
        },
        _ => (None, false),
    }
}

fn read_error(fields: &Params) -> MlflowResult<Value> {
    let mut error = json!({ "error_code": fields.text("error_code")?.unwrap_or_default() });
    if let Some(message) = fields.text("error_message")?.filter(|message| !message.is_empty()) {
        error["error_message"] = json!(message);
    }
    if let Some(stack) = fields.text("stack_trace")?.filter(|stack| !stack.is_empty()) {
        error["stack_trace"] = json!(last_of(stack));
    }
    Ok(error)
}

fn last_of(stack: &str) -> String {
    let len = stack.chars().count();
    if len <= STACK_CHARS_MAX {
        return stack.to_owned();
    }
    let kept = STACK_CHARS_MAX - STACK_CUT.len();
    STACK_CUT.chars().chain(stack.chars().skip(len - kept)).collect()
}

/// The fields that an update touches, in snake case.
fn mask(params: &Params) -> MlflowResult<Vec<String>> {
    let value = params.get("update_mask")?.ok_or_else(|| missing("update_mask"))?;
    let paths = value.as_str().ok_or_else(|| invalid("update_mask", value))?;
    Ok(paths.split(',').map(str::trim).filter(|path| !path.is_empty()).map(snake_case).collect())
}

fn snake_case(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// What changes.
#[derive(Default)]
struct Update {
    name: Option<String>,
    feedback: Option<Said>,
    expectation: Option<Said>,
    rationale: Option<String>,
    metadata: Vec<(String, String)>,
    is_valid: Option<bool>,
}

impl Update {
    fn read(fields: &Params, paths: &[String]) -> MlflowResult<Self> {
        let mut update = Self::default();
        let inside = |name: &str| -> MlflowResult<Params> { Ok(fields.message(name)?.unwrap_or_default()) };
        for path in paths {
            match path.as_str() {
                "assessment_name" => update.name = Some(fields.text("assessment_name")?.unwrap_or_default().to_owned()),
                "feedback" => update.feedback = Some(Said::feedback(&inside("feedback")?)?),
                "expectation" => update.expectation = Some(Said::expectation(&inside("expectation")?)?),
                "rationale" => update.rationale = Some(fields.text("rationale")?.unwrap_or_default().to_owned()),
                "metadata" => update.metadata = read_map(fields, "metadata")?,
                "valid" => update.is_valid = fields.flag("valid")?,
                _ => {}
            }
        }
        if update.feedback.is_some() && update.expectation.is_some() {
            return Err(MlflowError::invalid("Cannot specify both `expectation` and `feedback` parameters."));
        }
        Ok(update)
    }

    fn apply(self, row: &mut AssessmentRow, now_ms: i64) -> Result<(), StoreError> {
        if self.expectation.is_some() && row.kind != "expectation" {
            return Err(StoreError::Invalid("Cannot update expectation value on a Feedback assessment.".to_owned()));
        }
        if self.feedback.is_some() && row.kind != "feedback" {
            return Err(StoreError::Invalid("Cannot update feedback value on an Expectation assessment.".to_owned()));
        }
        if let Some(said) = self.feedback.or(self.expectation) {
            said.put(row);
        }
        if let Some(name) = self.name {
            row.name = name;
        }
        row.rationale = self.rationale.or(row.rationale.take());
        row.is_valid = self.is_valid.unwrap_or(row.is_valid);
        put_metadata(row, self.metadata);
        row.updated_ms = now_ms;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_read_in_both_cases() {
        let fields = |mask| Params::new(Map::from_iter([("update_mask".to_owned(), json!(mask))]));
        assert_eq!(mask(&fields("assessmentName,feedback")).unwrap(), ["assessment_name", "feedback"]);
        assert_eq!(mask(&fields("assessment_name")).unwrap(), ["assessment_name"]);
        assert!(mask(&Params::default()).is_err());
    }

    #[test]
    fn flags_count_and_are_no_numbers() {
        assert_eq!(number(&json!(true)), (Some(1.0), false));
        assert_eq!(number(&json!(" Yes ")), (Some(1.0), false));
        assert_eq!(number(&json!(0.5)), (Some(0.5), true));
        assert_eq!(number(&json!([1])), (None, false));
    }

    #[test]
    fn the_end_of_a_long_stack_trace_is_kept() {
        let cut = last_of(&format!("{}end", "é".repeat(20_000)));
        assert_eq!((cut.chars().count(), cut.starts_with(STACK_CUT), cut.ends_with("end")), (10_000, true, true));
        assert_eq!(last_of("short"), "short");
    }
}
