use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat};
use serde_json::Value;
use tiegel_context::{OpError, OpResult};

use super::{JsonRow, value};

/// The rows of a batch as a client would send them; the decoder turns them into the same bytes again.
pub fn encode_rows(batch: &RecordBatch) -> OpResult<Vec<JsonRow>> {
    let schema = batch.schema();
    let mut rows = vec![JsonRow::with_capacity(batch.num_columns()); batch.num_rows()];
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        for (row, object) in rows.iter_mut().enumerate() {
            let value = encode(array, row).ok_or_else(|| {
                OpError::internal(format!("column '{}' of type {} has no JSON form", field.name(), field.data_type()))
            })?;
            object.insert(field.name().clone(), value);
        }
    }
    Ok(rows)
}

/// One cell as JSON; none for an Arrow type that no table holds.
pub(crate) fn encode(array: &ArrayRef, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return Some(Value::Null);
    }
    let value = match array.data_type() {
        DataType::Boolean => Value::from(array.as_boolean().value(row)),
        DataType::Int8 => Value::from(array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => Value::from(array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => Value::from(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => Value::from(array.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Value::from(array.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => Value::from(array.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => Value::from(array.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => Value::from(array.as_primitive::<UInt64Type>().value(row)),
        DataType::Float16 => value::float_json::<Float16Type>(array.as_primitive::<Float16Type>().value(row)),
        DataType::Float32 => value::float_json::<Float32Type>(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => value::float_json::<Float64Type>(array.as_primitive::<Float64Type>().value(row)),
        DataType::Date32 => date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Utf8 => Value::from(array.as_string::<i32>().value(row)),
        DataType::Binary => value::binary_json(array.as_binary::<i32>().value(row)),
        DataType::FixedSizeList(..) => {
            let items = array.as_fixed_size_list().value(row);
            Value::Array((0..items.len()).map(|i| encode(&items, i)).collect::<Option<_>>()?)
        }
        _ => return None,
    };
    Some(value)
}

/// Text where a client would write text, the integer outside the years that RFC 3339 knows.
fn timestamp(micros: i64) -> Value {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) if (0..=9999).contains(&time.year()) => {
            Value::from(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
        }
        _ => Value::from(micros),
    }
}

fn date(days: i32) -> Value {
    let from_ce = days.checked_add(value::EPOCH_DAYS_FROM_CE);
    match from_ce.and_then(NaiveDate::from_num_days_from_ce_opt) {
        Some(date) if (0..=9999).contains(&date.year()) => Value::from(date.to_string()),
        _ => Value::from(days),
    }
}
