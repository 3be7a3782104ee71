//! JSON lines: one object a line, its members the columns.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Read};

use arrow::array::{ArrayRef, RecordBatch};
use serde_json::{Map, Value};
use tiegel_engine::{IngestRequest, SourceFile, TableError};
use tiegel_types::{DType, Field, Schema};

use super::bytes::{reading, with_bytes};
use super::guess::Guess;
use super::values::{BadText, parse_column};
use super::{BLOCK_ROWS, GUESS_ROWS, Push, Target};
use crate::closed::batch_of;
use crate::error::{internal, invalid, shown};

/// Bytes of one line.
const LINE_BYTES_MAX: usize = 16 << 20;

/// An object and the line it is on.
type Line = (u64, Map<String, Value>);

/// The members of a file's first objects, in the order they are first seen, and their types.
pub(super) fn guess(file: &SourceFile, request: &IngestRequest) -> Result<Schema, TableError> {
    with_bytes(file, |bytes| {
        let mut lines = Lines::new(&file.label, bytes);
        let mut names: Vec<String> = Vec::new();
        let mut guesses: HashMap<String, Guess> = HashMap::new();
        for _ in 0..GUESS_ROWS {
            let Some((line, object)) = lines.next()? else { break };
            for (name, value) in &object {
                let guess = guesses.entry(name.clone()).or_insert_with(|| {
                    names.push(name.clone());
                    Guess::new()
                });
                match value {
                    Value::Null => {}
                    Value::Array(_) | Value::Object(_) if !request.columns.contains_key(name) => {
                        return Err(not_a_value(&file.label, line, name, value));
                    }
                    value => guess.json(value),
                }
            }
        }
        // A declared column may come later than the rows looked at.
        names.extend(request.columns.keys().filter(|name| !guesses.contains_key(*name)).cloned());
        let dtype = |name: &String| guesses.get(name).map_or(DType::Utf8, |guess| guess.dtype());
        Ok(Schema::new(names.iter().map(|name| Field::new(name, dtype(name))).collect()))
    })
}

/// Reads a file; a member that an object lacks is null.
pub(super) fn read(file: &SourceFile, target: &Target, push: Push<'_>) -> Result<(), TableError> {
    if let Some(binary) = target.schema.fields.iter().find(|field| field.dtype == DType::Binary) {
        return Err(invalid(format!("column '{}' is declared as binary, which JSON cannot hold", binary.name)));
    }
    with_bytes(file, |bytes| {
        let mut lines = Lines::new(&file.label, bytes);
        let mut block = Vec::with_capacity(BLOCK_ROWS);
        loop {
            let next = lines.next()?;
            let ended = next.is_none();
            if let Some((line, object)) = next {
                known_members(&file.label, line, &object, target)?;
                block.push((line, object));
            }
            if block.len() == BLOCK_ROWS || (ended && !block.is_empty()) {
                push(batch(&file.label, &block, target)?)?;
                block.clear();
            }
            if ended {
                return Ok(());
            }
        }
    })
}

fn known_members(label: &str, line: u64, object: &Map<String, Value>, target: &Target) -> Result<(), TableError> {
    match object.keys().find(|name| target.arrow.column_with_name(name).is_none()) {
        None => Ok(()),
        Some(name) => Err(invalid(format!(
            "{label}, line {line}: column '{name}' is not in the first {GUESS_ROWS} rows; declare it under `columns:`, such as `{name}: utf8`"
        ))),
    }
}

fn batch(label: &str, block: &[Line], target: &Target) -> Result<RecordBatch, TableError> {
    let column = |field: &Field| -> Result<ArrayRef, TableError> {
        let mut texts = Vec::with_capacity(block.len());
        for (line, object) in block {
            texts.push(match object.get(&field.name) {
                None | Some(Value::Null) => None,
                Some(value) => Some(text_of(field.dtype, value).ok_or_else(|| match value {
                    Value::Array(_) | Value::Object(_) => not_a_value(label, *line, &field.name, value),
                    other => misfit(label, *line, field, &other.to_string(), target),
                })?),
            });
        }
        parse_column(field.dtype, texts.into_iter())
            .map_err(|BadText { row, text }| misfit(label, block[row].0, field, &text, target))
    };
    let columns = target.schema.fields.iter().map(column).collect::<Result<_, _>>()?;
    batch_of(target.arrow.clone(), columns, block.len()).map_err(|e| internal("building a batch", e))
}

/// The text that a value of this JSON kind is parsed from; none where the kind does not fit the type.
fn text_of(dtype: DType, value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if dtype == DType::Utf8 || matches!(dtype, DType::Date32 | DType::TimestampUs) => {
            Some(Cow::Borrowed(text))
        }
        // The words that this platform writes for floats without a JSON number.
        Value::String(text) if dtype.is_float() && matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity") => {
            Some(Cow::Borrowed(text))
        }
        Value::Number(number) if dtype.is_integer() || dtype.is_float() || dtype == DType::Utf8 => {
            Some(Cow::Owned(number.to_string()))
        }
        Value::Bool(flag) if dtype == DType::Boolean || dtype == DType::Utf8 => {
            Some(Cow::Borrowed(if *flag { "true" } else { "false" }))
        }
        _ => None,
    }
}

fn misfit(label: &str, line: u64, field: &Field, text: &str, target: &Target) -> TableError {
    let (text, advice) = (shown(text), target.advice(&field.name));
    invalid(format!("{label}, line {line}, column '{}': '{text}' is not {}, {advice}", field.name, field.dtype))
}

fn not_a_value(label: &str, line: u64, column: &str, value: &Value) -> TableError {
    let kind = if value.is_array() { "a list" } else { "an object" };
    invalid(format!(
        "{label}, line {line}, column '{column}': '{}' is {kind}, which no table can hold: flatten it into columns",
        shown(&value.to_string())
    ))
}

struct Lines<'a> {
    label: &'a str,
    input: &'a mut dyn BufRead,
    line: u64,
    buffer: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(label: &'a str, input: &'a mut dyn BufRead) -> Self {
        Self { label, input, line: 0, buffer: Vec::new() }
    }

    /// The next object and its line; blank lines are passed over.
    fn next(&mut self) -> Result<Option<Line>, TableError> {
        loop {
            self.buffer.clear();
            let mut limited = (&mut *self.input).take(LINE_BYTES_MAX as u64 + 1);
            let read = limited.read_until(b'\n', &mut self.buffer).map_err(|error| reading(self.label, &error))?;
            if read == 0 {
                return Ok(None);
            }
            self.line += 1;
            let (label, line) = (self.label, self.line);
            if read > LINE_BYTES_MAX {
                return Err(invalid(format!(
                    "{label}, line {line}: is longer than {LINE_BYTES_MAX} bytes: write one object a line"
                )));
            }
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            return match serde_json::from_slice(&self.buffer) {
                Ok(Value::Object(object)) => Ok(Some((line, object))),
                Ok(other) => Err(invalid(format!(
                    "{label}, line {line}: expected an object, found '{}'",
                    shown(&other.to_string())
                ))),
                Err(error) => Err(invalid(format!(
                    "{label}, line {line}: not JSON at column {}: {}",
                    error.column(),
                    reason(&error)
                ))),
            };
        }
    }
}

/// serde_json's words without its own position, which is inside the line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}
