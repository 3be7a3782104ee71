use serde::Deserialize;
use serde_json::{Map, Value};
use tiegel_serving::InputColumn;
use tiegel_types::limits::PREDICT_ROWS_MAX;
use tiegel_types::{DType, Field, Schema};

use crate::error::ProtocolError;

pub(crate) const OUTPUT_NAME: &str = "prediction";
pub(crate) const OUTPUT_DATATYPE: &str = "FP64";

/// Ends the name of the BOOL tensor that says which rows of another are not null.
const VALID_SUFFIX: &str = "__valid";

pub(crate) const NO_BINARY: &str =
    "binary tensor data is not supported here: send the tensors as JSON (tritonclient: binary_data=False)";

/// A tensor of a request, as JSON.
#[derive(Debug, Deserialize)]
pub(crate) struct RequestTensor {
    pub name: String,
    pub shape: Vec<u64>,
    pub datatype: String,
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
    #[serde(default)]
    pub data: Option<Value>,
}

/// The protocol's name of a column's type.
pub(crate) fn datatype(dtype: DType) -> &'static str {
    match dtype {
        DType::Boolean => "BOOL",
        DType::Int8 => "INT8",
        DType::Int16 => "INT16",
        DType::Int32 | DType::Date32 => "INT32",
        DType::Int64 | DType::TimestampUs => "INT64",
        DType::Uint8 => "UINT8",
        DType::Uint16 => "UINT16",
        DType::Uint32 => "UINT32",
        DType::Uint64 => "UINT64",
        DType::Float16 => "FP16",
        DType::Bfloat16 => "BF16",
        DType::Float32 => "FP32",
        DType::Float64 => "FP64",
        DType::Utf8 | DType::Binary => "BYTES",
    }
}

/// The tensors as columns of the endpoint's input, and their number of rows. Validity tensors join their columns.
///
/// # Errors
/// For a tensor that is unknown, twice there, of another type, shape or length than its column; all before its data is copied.
pub(crate) fn columns(
    schema: &Schema,
    tensors: Vec<RequestTensor>,
) -> Result<(usize, Vec<InputColumn>), ProtocolError> {
    let rows = rows(&tensors)?;
    let mut columns: Vec<InputColumn> = Vec::with_capacity(tensors.len());
    let mut valid: Vec<(String, Vec<bool>)> = Vec::new();
    for tensor in tensors {
        if columns.iter().any(|c| c.name == tensor.name) || valid.iter().any(|(name, _)| *name == tensor.name) {
            return Err(refused(&tensor.name, "is given twice"));
        }
        if let Some(field) = schema.field(&tensor.name) {
            columns.push(column(field, rows, tensor)?);
        } else if tensor.name.strip_suffix(VALID_SUFFIX).is_some_and(|column| schema.field(column).is_some()) {
            valid.push((tensor.name.clone(), validity(rows, tensor)?));
        } else {
            return Err(unknown(schema, &tensor.name));
        }
    }
    for (name, valid) in valid {
        let column = columns.iter_mut().find(|c| Some(c.name.as_str()) == name.strip_suffix(VALID_SUFFIX));
        match column {
            Some(column) => column.valid = Some(valid),
            None => return Err(refused(&name, "says which rows are null of an input that is not there")),
        }
    }
    Ok((rows, columns))
}

/// All tensors have the same first dimension.
fn rows(tensors: &[RequestTensor]) -> Result<usize, ProtocolError> {
    let Some(first) = tensors.first() else {
        return Err(ProtocolError::bad_request("the request has no inputs"));
    };
    for tensor in tensors {
        let rows = tensor.shape.first().copied();
        let Some(rows) = rows else {
            return Err(refused(&tensor.name, "has an empty shape; its first number is the number of rows"));
        };
        if rows > PREDICT_ROWS_MAX as u64 {
            return Err(refused(
                &tensor.name,
                format!("has {rows} rows; at most {PREDICT_ROWS_MAX} are taken at once"),
            ));
        }
        if Some(&rows) != first.shape.first() {
            let message = format!("has {rows} rows and input '{}' has {}", first.name, first.shape[0]);
            return Err(refused(&tensor.name, message));
        }
    }
    Ok(first.shape[0] as usize)
}

fn column(field: &Field, rows: usize, tensor: RequestTensor) -> Result<InputColumn, ProtocolError> {
    check_type(&tensor, datatype(field.dtype))?;
    let width = field.width as usize;
    check_shape(&tensor, width)?;
    let RequestTensor { name, data, .. } = tensor;
    let values = flat(&name, (rows, width), data)?;
    Ok(InputColumn { name, values, valid: None })
}

fn validity(rows: usize, tensor: RequestTensor) -> Result<Vec<bool>, ProtocolError> {
    check_type(&tensor, "BOOL")?;
    check_shape(&tensor, 1)?;
    let values = flat(&tensor.name, (rows, 1), tensor.data)?;
    let bools = values.iter().enumerate().map(|(row, value)| {
        value.as_bool().ok_or_else(|| refused(&tensor.name, format!("row {row} is neither true nor false")))
    });
    bools.collect()
}

fn check_type(tensor: &RequestTensor, expected: &str) -> Result<(), ProtocolError> {
    check_parameters(tensor.parameters.as_ref())?;
    if tensor.datatype == expected {
        return Ok(());
    }
    Err(refused(&tensor.name, format!("has datatype '{}'; {expected} is expected", tensor.datatype)))
}

/// `[rows]` or `[rows, width]`; the number of rows was checked before.
fn check_shape(tensor: &RequestTensor, width: usize) -> Result<(), ProtocolError> {
    let fits = match tensor.shape[..] {
        [_] => width == 1,
        [_, columns] => columns == width as u64,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let expected = if width == 1 { "[-1]".to_owned() } else { format!("[-1, {width}]") };
    Err(refused(&tensor.name, format!("has shape {:?}; {expected} is expected", tensor.shape)))
}

/// The values row by row, from a flat array or from one array a row.
fn flat(name: &str, (rows, width): (usize, usize), data: Option<Value>) -> Result<Vec<Value>, ProtocolError> {
    let items = match data {
        Some(Value::Array(items)) => items,
        Some(_) => return Err(refused(name, "has data that is not an array")),
        None => return Err(refused(name, "has no data")),
    };
    if !items.iter().any(Value::is_array) {
        return checked_length(name, items, rows * width);
    }
    let mut values = Vec::with_capacity(items.len().saturating_mul(width).min(rows * width));
    for (row, item) in checked_length(name, items, rows)?.into_iter().enumerate() {
        match item {
            Value::Array(nested) if nested.len() == width => values.extend(nested),
            Value::Array(nested) => {
                return Err(refused(name, format!("row {row} has {} values; {width} are expected", nested.len())));
            }
            _ => return Err(refused(name, format!("row {row} is no array, and others are"))),
        }
    }
    Ok(values)
}

fn checked_length(name: &str, items: Vec<Value>, expected: usize) -> Result<Vec<Value>, ProtocolError> {
    if items.len() == expected {
        return Ok(items);
    }
    Err(refused(name, format!("has {} values; its shape needs {expected}", items.len())))
}

/// A parameter is a string, a number or a boolean; those that ask for binary data are refused.
pub(crate) fn check_parameters(parameters: Option<&Map<String, Value>>) -> Result<(), ProtocolError> {
    for (key, value) in parameters.into_iter().flatten() {
        if !(value.is_string() || value.is_number() || value.is_boolean()) {
            return Err(ProtocolError::bad_request(format!(
                "parameter '{key}' is not a string, a number or a boolean"
            )));
        }
        let wants_binary = match key.as_str() {
            "binary_data_size" => true,
            "binary_data" | "binary_data_output" => value.as_bool() == Some(true),
            _ => false,
        };
        if wants_binary {
            return Err(ProtocolError::bad_request(NO_BINARY));
        }
    }
    Ok(())
}

fn unknown(schema: &Schema, name: &str) -> ProtocolError {
    let names: Vec<_> = schema.names().collect();
    refused(name, format!("is not an input of this endpoint; its inputs are {}", names.join(", ")))
}

fn refused(name: &str, message: impl std::fmt::Display) -> ProtocolError {
    ProtocolError::bad_request(format!("input '{name}' {message}"))
}
