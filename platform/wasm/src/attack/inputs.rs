//! Columns that no plugin expects: values at the edge of their type, and buffers that are no column at all.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
    new_null_array,
};
use tiegel_engine::arrow_schema;
use tiegel_types::{DType, Schema};

use super::guest::Buffers;

/// Rows of every batch.
pub const ROWS: usize = 6;

/// Values that a plugin is built for: small ones that differ.
pub fn plain(schema: &Schema) -> RecordBatch {
    batch(schema, |dtype| match dtype {
        DType::Utf8 => Arc::new(StringArray::from(vec!["a", "b", "a", "c", "b", "a"])),
        DType::Binary => Arc::new(BinaryArray::from(vec![&b"a"[..], b"b", b"a", b"c", b"b", b"a"])),
        DType::Boolean => Arc::new(BooleanArray::from(vec![true, false, true, true, false, false])),
        dtype => numbers(dtype, [1, 2, 3, 4, 5, 6].map(|x| (x, x as f64 + 0.5))),
    })
}

/// The least, the greatest, none, and what only floats have.
pub fn extreme(schema: &Schema) -> RecordBatch {
    batch(schema, |dtype| match dtype {
        DType::Utf8 => {
            let long = "\u{10ffff}".repeat(1 << 16);
            Arc::new(StringArray::from(vec!["", &long, "\0", "\u{1b}[2J", "\u{202e}", "💥"]))
        }
        DType::Binary => Arc::new(BinaryArray::from(vec![&b""[..], &[0; 1 << 16], &[255; 3], b"\0", b"PK", b"\xff"])),
        DType::Boolean => Arc::new(BooleanArray::from(vec![true; ROWS])),
        dtype => {
            let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MAX, f64::MIN_POSITIVE / 4.0];
            let ints = [i64::MIN, i64::MAX, 0, -1, 1, i64::from(i32::MIN)];
            numbers(dtype, std::array::from_fn(|i| (ints[i], floats[i])))
        }
    })
}

/// Nulls only, where the columns may have any.
pub fn nulls(schema: &Schema) -> Option<RecordBatch> {
    let nullable = schema.fields.iter().all(|field| field.nullable);
    nullable.then(|| {
        let arrow = arrow_schema(schema);
        let columns = arrow.fields().iter().map(|field| new_null_array(field.data_type(), ROWS)).collect();
        RecordBatch::try_new(arrow, columns).expect("nulls are of any type")
    })
}

/// Buffers that the host would never hand over, each with what is wrong with it.
pub fn malformed(dtype: DType) -> Vec<(&'static str, Buffers)> {
    let bytes = dtype.fixed_bytes().unwrap_or(1) * ROWS;
    let data = |len: usize| Buffers { data: vec![0x7f; len], ..Buffers::default() };
    let offsets = |values: [i32; ROWS + 1]| Some(values.map(i32::to_le_bytes).concat());
    let text = |values| Buffers { offsets: offsets(values), ..data(ROWS) };
    let mut malformed = vec![
        ("no data", data(0)),
        ("data cut in a value", data(bytes - 1)),
        ("too much data", data(bytes + 3)),
        (
            "no validity bytes",
            Buffers { validity: Some(vec![]), offsets: offsets([0, 1, 2, 3, 4, 5, 6]), ..data(bytes) },
        ),
    ];
    if matches!(dtype, DType::Utf8 | DType::Binary) {
        malformed.extend([
            ("no offsets", data(ROWS)),
            ("offsets that go back", text([0, 6, 1, 5, 2, 4, 3])),
            ("offsets beyond the data", text([0, 1, 2, 3, 4, 5, i32::MAX])),
            ("offsets below zero", text([i32::MIN, -1, 0, 1, 2, 3, 4])),
            ("bytes that are no text", Buffers { data: vec![0xff; ROWS], ..text([0, 1, 2, 3, 4, 5, 6]) }),
        ]);
    }
    malformed
}

fn batch(schema: &Schema, column: impl Fn(DType) -> ArrayRef) -> RecordBatch {
    let arrow = arrow_schema(schema);
    let columns = schema.fields.iter().zip(arrow.fields()).map(|(field, arrow)| {
        let column = column(field.dtype);
        // Of types that are not made here, such as lists, zeros do.
        if column.data_type() == arrow.data_type() { column } else { zeros(arrow.data_type()) }
    });
    RecordBatch::try_new(Arc::clone(&arrow), columns.collect()).expect("the columns have the schema's types")
}

fn zeros(data_type: &arrow::datatypes::DataType) -> ArrayRef {
    let nulls = new_null_array(data_type, ROWS).to_data();
    arrow::array::make_array(
        nulls.into_builder().nulls(None).build().unwrap_or_else(|_| arrow::array::ArrayData::new_empty(data_type)),
    )
}

fn numbers(dtype: DType, values: [(i64, f64); ROWS]) -> ArrayRef {
    let ints = values.map(|(int, _)| int);
    let floats = values.map(|(_, float)| float);
    match dtype {
        DType::Int8 => Arc::new(Int8Array::from_iter_values(ints.map(|x| x as i8))),
        DType::Int16 => Arc::new(Int16Array::from_iter_values(ints.map(|x| x as i16))),
        DType::Int32 => Arc::new(Int32Array::from_iter_values(ints.map(|x| x as i32))),
        DType::Uint8 => Arc::new(UInt8Array::from_iter_values(ints.map(|x| x as u8))),
        DType::Uint16 => Arc::new(UInt16Array::from_iter_values(ints.map(|x| x as u16))),
        DType::Uint32 => Arc::new(UInt32Array::from_iter_values(ints.map(|x| x as u32))),
        DType::Uint64 => Arc::new(UInt64Array::from_iter_values(ints.map(|x| x as u64))),
        DType::Float32 => Arc::new(Float32Array::from_iter_values(floats.map(|x| x as f32))),
        DType::Float64 => Arc::new(Float64Array::from_iter_values(floats)),
        DType::Date32 => Arc::new(Date32Array::from_iter_values(ints.map(|x| x as i32))),
        DType::TimestampUs => Arc::new(TimestampMicrosecondArray::from_iter_values(ints).with_timezone("UTC")),
        _ => Arc::new(Int64Array::from_iter_values(ints)),
    }
}
