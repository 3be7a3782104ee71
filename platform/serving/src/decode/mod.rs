//! From the values of a request to one record batch, and back.

mod column;
mod encode;
mod nearest;
#[cfg(test)]
mod tests;
mod value;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tiegel_context::{OpError, OpResult};
use tiegel_engine::arrow_schema;
use tiegel_types::{DType, Field, Schema, limits};

use column::{Cell, CellError};
pub(crate) use encode::{encode, encode_rows};
use value::Form;

/// Values of one column in one request, nulls included: a bound on what a small body can make the decoder allocate.
const COLUMN_VALUES_MAX: usize = 16 << 20;

/// One row of a request: column name to value.
pub type JsonRow = Map<String, Value>;

/// The body of the native predict route.
///
/// Numbers are JSON numbers, or `"NaN"`, `"Infinity"`, `"-Infinity"`; timestamps RFC 3339 text or microseconds since 1970;
/// dates `YYYY-MM-DD` or days since 1970; binary is base64; a column of width N is an array of N; a nullable column may be
/// null or absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictRequest {
    pub rows: Vec<JsonRow>,
}

/// One column of a request in a protocol's tensor form: integers for times and dates, text for binary.
#[derive(Clone, Debug, PartialEq)]
pub struct InputColumn {
    pub name: String,
    /// Row-major and flat: `width` values a row.
    pub values: Vec<Value>,
    /// Which rows are not null; none: those whose values are null are.
    pub valid: Option<Vec<bool>>,
}

/// What a caller sends, in either form.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    Rows(Vec<JsonRow>),
    Columns { rows: usize, columns: Vec<InputColumn> },
}

impl Input {
    pub fn rows(&self) -> usize {
        match self {
            Input::Rows(rows) => rows.len(),
            Input::Columns { rows, .. } => *rows,
        }
    }
}

/// Reads requests into batches of one schema.
pub struct Decoder {
    schema: Schema,
    arrow: SchemaRef,
}

impl Decoder {
    pub fn new(schema: Schema) -> OpResult<Self> {
        for field in &schema.fields {
            let list = field.width > 1;
            if field.dtype == DType::Bfloat16 || field.width == 0 || (list && field.dtype.fixed_bytes().is_none()) {
                let message = format!(
                    "column '{}' is {} of width {}, which no request can carry; change it in the pipeline",
                    field.name, field.dtype, field.width
                );
                return Err(OpError::invalid("unservable_column", message));
            }
        }
        let arrow = arrow_schema(&schema);
        Ok(Self { schema, arrow })
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// # Errors
    /// `Invalid` names row and column and says what was expected; `Limit` where there are more than `PREDICT_ROWS_MAX` rows.
    pub fn decode(&self, input: &Input) -> OpResult<RecordBatch> {
        self.check_size(input.rows())?;
        match input {
            Input::Rows(rows) => self.rows(rows),
            Input::Columns { rows, columns } => self.columns(*rows, columns),
        }
    }

    fn rows(&self, rows: &[JsonRow]) -> OpResult<RecordBatch> {
        let mut named = vec![0_usize; rows.len()];
        let mut arrays = Vec::with_capacity(self.schema.fields.len());
        for field in &self.schema.fields {
            let cells = rows.iter().zip(&mut named).map(|(row, named)| match row.get(&field.name) {
                Some(value) => {
                    *named += 1;
                    Cell::Value(value)
                }
                None => Cell::Missing,
            });
            let array = column::build(field, Form::Row, rows.len(), cells);
            arrays.push(array.map_err(|e| self.row_error(field, rows, e))?);
        }
        if let Some(row) = named.iter().zip(rows).position(|(named, row)| *named < row.len()) {
            return Err(self
                .unknown_column(rows, row)
                .unwrap_or_else(|| OpError::internal("a column was counted twice")));
        }
        self.batch(rows.len(), arrays)
    }

    fn columns(&self, rows: usize, columns: &[InputColumn]) -> OpResult<RecordBatch> {
        if let Some(unknown) = columns.iter().find(|c| self.schema.field(&c.name).is_none()) {
            return Err(invalid(format!("'{}' is not an input{}", unknown.name, self.hint(&unknown.name))));
        }
        let mut arrays = Vec::with_capacity(self.schema.fields.len());
        for field in &self.schema.fields {
            let mut given = columns.iter().filter(|c| c.name == field.name);
            let column = given.next();
            if given.next().is_some() {
                return Err(invalid(format!("input '{}' is given twice", field.name)));
            }
            let array = match column {
                Some(column) => self.column(field, rows, column)?,
                None => column::build(field, Form::Tensor, rows, (0..rows).map(|_| Cell::Missing))
                    .map_err(|e| invalid(format!("input '{}': {}", field.name, e.message)))?,
            };
            arrays.push(array);
        }
        self.batch(rows, arrays)
    }

    fn column(&self, field: &Field, rows: usize, column: &InputColumn) -> OpResult<ArrayRef> {
        let width = field.width as usize;
        let expected = rows * width;
        if column.values.len() != expected {
            let message =
                format!("input '{}' has {} values; its shape needs {expected}", field.name, column.values.len());
            return Err(invalid(message));
        }
        let valid = column.valid.as_deref();
        if let Some(valid) = valid.filter(|v| v.len() != rows) {
            let message = format!("input '{}' has {rows} rows and its validity {}", field.name, valid.len());
            return Err(invalid(message));
        }
        let cells = column.values.chunks_exact(width).enumerate().map(|(row, values)| {
            if valid.is_some_and(|v| !v[row]) || values.iter().all(Value::is_null) {
                Cell::Null
            } else if width == 1 {
                Cell::Value(&values[0])
            } else {
                Cell::Items(values)
            }
        });
        column::build(field, Form::Tensor, rows, cells)
            .map_err(|e| invalid(format!("input '{}', row {}: {}", field.name, e.row, e.message)))
    }

    fn check_size(&self, rows: usize) -> OpResult<()> {
        if rows > limits::PREDICT_ROWS_MAX {
            let message = format!(
                "the request has {rows} rows; at most {} are taken at once. Send several requests",
                limits::PREDICT_ROWS_MAX
            );
            return Err(OpError::Limit(message));
        }
        let widest = self.schema.fields.iter().map(|f| f.width as usize).max().unwrap_or(1);
        if rows * widest > COLUMN_VALUES_MAX {
            let message =
                format!("{rows} rows of width {widest} are over {COLUMN_VALUES_MAX} values; send fewer rows at once");
            return Err(OpError::Limit(message));
        }
        Ok(())
    }

    fn batch(&self, rows: usize, arrays: Vec<ArrayRef>) -> OpResult<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.arrow.clone(), arrays, &options)
            .map_err(|e| OpError::internal(format!("decoded columns do not fit their schema: {e}")))
    }

    fn row_error(&self, field: &Field, rows: &[JsonRow], error: CellError) -> OpError {
        // A misspelt column is both unknown and missing: the first says more.
        let misspelt = if error.missing { self.unknown_column(rows, error.row) } else { None };
        misspelt.unwrap_or_else(|| invalid(format!("row {}, column '{}': {}", error.row, field.name, error.message)))
    }

    fn unknown_column(&self, rows: &[JsonRow], row: usize) -> Option<OpError> {
        let unknown = rows[row].keys().find(|key| self.schema.field(key).is_none())?;
        Some(invalid(format!("row {row}: '{unknown}' is not an input of this endpoint{}", self.hint(unknown))))
    }

    fn hint(&self, wrong: &str) -> String {
        match nearest::nearest(wrong, self.schema.names()) {
            Some(name) => format!("; did you mean '{name}'?"),
            None => {
                let names: Vec<_> = self.schema.names().take(NAMES_SHOWN_MAX).collect();
                let more = if self.schema.fields.len() > NAMES_SHOWN_MAX { ", …" } else { "" };
                format!("; its inputs are {}{more}", names.join(", "))
            }
        }
    }
}

const NAMES_SHOWN_MAX: usize = 40;

fn invalid(message: String) -> OpError {
    OpError::invalid("invalid_rows", message)
}
