//! Guest to Arrow: every buffer is checked against the declared schema, then becomes an array without a copy.

use std::sync::Arc;

use arrow::array::{ArrayData, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow::datatypes::{DataType, SchemaRef};
use tiegel_engine::PluginFailure;
use tiegel_types::{DType, Field, Schema};

use crate::bindings::types::{BatchResult, ColumnResult};
use crate::fault::bad_output;
use crate::nan;

/// What a plugin declared, in both notations.
#[derive(Clone, Debug)]
pub struct Output {
    pub schema: Schema,
    pub arrow: SchemaRef,
}

impl Output {
    pub fn new(schema: Schema) -> Self {
        let arrow = tiegel_engine::arrow_schema(&schema);
        Self { schema, arrow }
    }

    /// A guest's answer as a batch. `rows` is the number of rows it must have, where that is known.
    pub fn lift(&self, plugin: &str, batch: BatchResult, rows: Option<usize>) -> Result<RecordBatch, PluginFailure> {
        let found = batch.rows as usize;
        if let Some(rows) = rows.filter(|rows| *rows != found) {
            return Err(bad_output(plugin, format!("answered {found} rows for {rows}, though it is row-wise")));
        }
        let fields = &self.schema.fields;
        if batch.columns.len() != fields.len() {
            let message = format!("answered {} columns where it declared {}", batch.columns.len(), fields.len());
            return Err(bad_output(plugin, message));
        }
        let columns = fields.iter().zip(batch.columns).zip(self.arrow.fields());
        let arrays = columns
            .map(|((field, column), arrow)| {
                lift_column(field, arrow.data_type(), column, found)
                    .map_err(|wrong| bad_output(plugin, format!("output column '{}': {wrong}", field.name)))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(found));
        RecordBatch::try_new_with_options(Arc::clone(&self.arrow), arrays, &options)
            .map_err(|error| bad_output(plugin, error.to_string()))
    }
}

fn lift_column(field: &Field, data_type: &DataType, column: ColumnResult, rows: usize) -> Result<ArrayRef, String> {
    let ColumnResult { mut data, validity, offsets } = column;
    let nulls = validity.map(|bits| lift_validity(field, bits, rows)).transpose()?.flatten();
    if field.dtype.fixed_bytes().is_some() || field.dtype == DType::Boolean {
        check_length(field, &data, rows)?;
        if offsets.is_some() {
            return Err(format!("has offsets, which {} does not have", field.dtype));
        }
    }
    nan::canonicalise(field.dtype, &mut data);
    let data = if field.dtype == DType::Boolean { cleared(data, rows) } else { data };
    let array = match data_type {
        DataType::FixedSizeList(item, _) => {
            let items = ArrayData::builder(item.data_type().clone())
                .len(rows * field.width as usize)
                .add_buffer(Buffer::from_vec(data));
            let items = items.align_buffers(true).build().map_err(|e| e.to_string())?;
            ArrayData::builder(data_type.clone()).len(rows).nulls(nulls).add_child_data(items)
        }
        DataType::Utf8 | DataType::Binary => {
            let offsets = offsets.ok_or("has no offsets")?;
            check_offsets(&offsets, data.len(), rows)?;
            let (offsets, data) = (Buffer::from_vec(offsets), Buffer::from_vec(data));
            ArrayData::builder(data_type.clone()).len(rows).nulls(nulls).add_buffer(offsets).add_buffer(data)
        }
        _ => ArrayData::builder(data_type.clone()).len(rows).nulls(nulls).add_buffer(Buffer::from_vec(data)),
    };
    // Building checks offsets and UTF-8 once more, by Arrow's own rules: it is the guard that nothing passes.
    let array = array.align_buffers(true).build().map_err(|error| match field.dtype {
        DType::Utf8 => "is not valid UTF-8, or cuts a character in two".to_owned(),
        _ => error.to_string(),
    })?;
    Ok(make_array(array))
}

/// None where nothing is null.
fn lift_validity(field: &Field, bits: Vec<u8>, rows: usize) -> Result<Option<NullBuffer>, String> {
    if bits.len() != rows.div_ceil(8) {
        return Err(format!("has {} bytes of validity where {rows} rows need {}", bits.len(), rows.div_ceil(8)));
    }
    let nulls = NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(cleared(bits, rows)), 0, rows));
    if nulls.null_count() == 0 {
        return Ok(None);
    }
    if !field.nullable {
        let row = (0..rows).find(|row| nulls.is_null(*row)).unwrap_or_default();
        return Err(format!("is null in row {row}, though it is declared without nulls"));
    }
    Ok(Some(nulls))
}

/// Bits with those after the last row cleared, so that equal rows are equal bytes.
fn cleared(mut bits: Vec<u8>, rows: usize) -> Vec<u8> {
    if let (Some(last), tail @ 1..) = (bits.last_mut(), rows % 8) {
        *last &= (1 << tail) - 1;
    }
    bits
}

fn check_length(field: &Field, data: &[u8], rows: usize) -> Result<(), String> {
    let needed = match field.dtype.fixed_bytes() {
        Some(bytes) => rows.checked_mul(field.width as usize).and_then(|values| values.checked_mul(bytes)),
        None => Some(rows.div_ceil(8)),
    };
    match needed {
        Some(needed) if needed == data.len() => Ok(()),
        Some(needed) => Err(format!("has {} bytes where {rows} rows of {} need {needed}", data.len(), describe(field))),
        None => Err(format!("cannot hold {rows} rows of {}", describe(field))),
    }
}

fn check_offsets(offsets: &[u8], data_len: usize, rows: usize) -> Result<(), String> {
    let expected = (rows + 1) * size_of::<i32>();
    if offsets.len() != expected {
        return Err(format!("has {} bytes of offsets where {rows} rows need {expected}", offsets.len()));
    }
    let mut offsets = offsets.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes));
    let mut last = offsets.next().unwrap_or_default();
    if last != 0 {
        return Err(format!("has offsets that start at {last} instead of 0"));
    }
    for (row, offset) in offsets.enumerate() {
        if offset < last {
            return Err(format!("has an offset that goes back from {last} to {offset} in row {row}"));
        }
        last = offset;
    }
    if last as usize > data_len {
        return Err(format!("has offsets that end at {last}, beyond its {data_len} bytes of data"));
    }
    Ok(())
}

fn describe(field: &Field) -> String {
    if field.width == 1 { field.dtype.to_string() } else { format!("{} of width {}", field.dtype, field.width) }
}

#[cfg(test)]
mod tests;
