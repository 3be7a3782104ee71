use arrow::array::RecordBatch;
use arrow::json::ReaderBuilder;
use arrow::json::writer::{JsonArray, WriterBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tiegel_engine::{Binding, FaultKind, PluginFailure, arrow_schema};
use tiegel_types::{Field, Schema};

use super::{Check, Subject};
use crate::attack::inputs;
use crate::fault::fault;

/// Rows in, rows out: a file of a plugin's `cases`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it is there for.
    pub about: String,
    #[serde(default = "no_settings")]
    pub config: Value,
    pub columns: Vec<Field>,
    /// The rows that an estimator learns from; without them those of `input`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Vec<Value>>,
    #[serde(default)]
    pub input: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Vec<Value>>,
    /// A part of the message that it is refused with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How far numbers may differ, relative to their size, where an estimator saw its rows in other chunks.
    #[serde(default = "rounding")]
    pub tolerance: f64,
}

fn no_settings() -> Value {
    json!({})
}

fn rounding() -> f64 {
    1e-9
}

impl Case {
    /// A case without rows.
    pub fn of(about: &str, config: Value, schema: Schema) -> Self {
        let about = about.to_owned();
        Self {
            about,
            config,
            columns: schema.fields,
            fit: None,
            input: vec![],
            output: None,
            error: None,
            tolerance: rounding(),
        }
    }

    pub fn schema(&self) -> Schema {
        Schema::new(self.columns.clone())
    }

    pub(super) fn fit_rows(&self, binding: &Binding) -> Result<RecordBatch, PluginFailure> {
        let rows = self.fit.as_ref().unwrap_or(&self.input);
        // A case without rows still fits: on ordinary ones.
        if rows.is_empty() { Ok(inputs::plain(&binding.input)) } else { self.table(rows, binding) }
    }

    pub(super) fn input_rows(&self, binding: &Binding) -> Result<RecordBatch, PluginFailure> {
        self.table(&self.input, binding)
    }

    fn table(&self, rows: &[Value], binding: &Binding) -> Result<RecordBatch, PluginFailure> {
        let schema = arrow_schema(&self.schema());
        let read = || {
            let mut decoder = ReaderBuilder::new(schema.clone())
                .with_batch_size(rows.len().max(1))
                .with_strict_mode(true)
                .build_decoder()?;
            decoder.serialize(rows)?;
            decoder.flush()
        };
        let failure = |error: arrow::error::ArrowError| {
            fault(&binding.image.label, FaultKind::Host, format!("the case's rows are not of its columns: {error}"))
        };
        Ok(read().map_err(failure)?.unwrap_or_else(|| RecordBatch::new_empty(schema)))
    }

    pub(super) fn run(&self, subject: &Subject<'_>) -> Result<Vec<Value>, PluginFailure> {
        let outputs = super::properties::in_order(subject, vec![self.input_rows(&subject.binding)?])?;
        let failure = |error: arrow::error::ArrowError| {
            fault(&subject.binding.image.label, FaultKind::Host, format!("the answer is no JSON: {error}"))
        };
        let mut rows = Vec::new();
        for batch in &outputs {
            rows.extend(to_rows(batch).map_err(failure)?);
        }
        Ok(rows)
    }

    pub(super) fn compare(&self, name: &str, ran: Result<Vec<Value>, PluginFailure>) -> Check {
        let failure = match (&self.error, &self.output, ran) {
            (Some(part), _, Err(failure)) if failure.to_string().contains(part) => None,
            (Some(part), _, Err(failure)) => Some(format!("the error was to contain '{part}': {failure}")),
            (Some(part), _, Ok(_)) => Some(format!("it answered; the case wants an error with '{part}'")),
            (None, _, Err(failure)) => Some(failure.to_string()),
            (None, None, Ok(_)) => None,
            (None, Some(expected), Ok(found)) => difference(expected, &found),
        };
        let replay = failure.is_some().then(|| self.clone());
        Check { case: name.to_owned(), check: self.about.clone(), failure, replay }
    }

    pub(super) fn expecting(&self, ran: Result<Vec<Value>, PluginFailure>) -> Self {
        match ran {
            Ok(rows) => Self { output: Some(rows), error: None, ..self.clone() },
            Err(PluginFailure::Refused { message, .. } | PluginFailure::Fault { message, .. }) => {
                Self { output: None, error: Some(message), ..self.clone() }
            }
        }
    }
}

fn difference(expected: &[Value], found: &[Value]) -> Option<String> {
    if expected.len() != found.len() {
        return Some(format!("it answered {} rows, not {}", found.len(), expected.len()));
    }
    let row = expected.iter().zip(found).position(|(expected, found)| expected != found)?;
    Some(format!("row {row} is {}, not {}", found[row], expected[row]))
}

/// A table as JSON rows, with its nulls. What JSON has no word for, such as NaN, is null there.
pub(super) fn to_rows(batch: &RecordBatch) -> Result<Vec<Value>, arrow::error::ArrowError> {
    let mut text = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut text);
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    if text.is_empty() {
        return Ok(vec![]);
    }
    serde_json::from_slice(&text).map_err(|error| arrow::error::ArrowError::JsonError(error.to_string()))
}
