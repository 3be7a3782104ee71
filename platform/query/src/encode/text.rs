//! One value, one row as JSON or CSV.
//!
//! Numbers are JSON numbers; NaN and the infinities are the strings "NaN", "Infinity" and "-Infinity", as proto3's JSON
//! mapping has them; timestamps are RFC 3339 in UTC, dates YYYY-MM-DD, bytes base64 (RFC 4648), lists arrays.

use std::io::Write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, SchemaRef,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::temporal_conversions::date32_to_datetime;
use chrono::{DateTime, SecondsFormat};

/// A row as a JSON value.
pub(crate) fn json_row(batch: &RecordBatch, row: usize) -> serde_json::Value {
    let mut text = Vec::new();
    json_object(batch, row, &mut text);
    serde_json::from_slice(&text).unwrap_or_default()
}

pub(super) fn json_object(batch: &RecordBatch, row: usize, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (field, column)) in batch.schema_ref().fields().iter().zip(batch.columns()).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json_string(field.name(), out);
        out.push(b':');
        json_value(column, row, out);
    }
    out.push(b'}');
}

pub(super) fn csv_header(schema: &SchemaRef, out: &mut Vec<u8>) {
    for (index, field) in schema.fields().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        csv_field(field.name().as_bytes(), out);
    }
    out.extend_from_slice(b"\r\n");
}

/// A record of RFC 4180. A null is an empty field, an empty text is a quoted empty field.
pub(super) fn csv_record(batch: &RecordBatch, row: usize, out: &mut Vec<u8>) {
    let mut cell = Vec::new();
    for (index, column) in batch.columns().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if column.is_null(row) {
            continue;
        }
        cell.clear();
        match column.data_type() {
            DataType::Utf8 => csv_field(column.as_string::<i32>().value(row).as_bytes(), out),
            DataType::FixedSizeList(..) => {
                json_value(column, row, &mut cell);
                csv_field(&cell, out);
            }
            _ => {
                json_value(column, row, &mut cell);
                // Dates and such are strings in JSON and bare in CSV; none of them holds a quote.
                out.extend(cell.iter().filter(|byte| **byte != b'"'));
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

fn csv_field(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() && !text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

fn json_value(column: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    if column.is_null(row) {
        out.extend_from_slice(b"null");
        return;
    }
    match column.data_type() {
        DataType::Boolean => print(out, column.as_boolean().value(row)),
        DataType::Int8 => print(out, column.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => print(out, column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => print(out, column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => print(out, column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => print(out, column.as_primitive::<UInt8Type>().value(row)),
        DataType::UInt16 => print(out, column.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt32 => print(out, column.as_primitive::<UInt32Type>().value(row)),
        DataType::UInt64 => print(out, column.as_primitive::<UInt64Type>().value(row)),
        DataType::Float16 => json_float(f64::from(column.as_primitive::<Float16Type>().value(row)), out),
        DataType::Float32 => {
            let value = column.as_primitive::<Float32Type>().value(row);
            if value.is_finite() { json_serde(&value, out) } else { json_float(f64::from(value), out) }
        }
        DataType::Float64 => json_float(column.as_primitive::<Float64Type>().value(row), out),
        DataType::Date32 => match date32_to_datetime(column.as_primitive::<Date32Type>().value(row)) {
            Some(date) => print(out, format_args!("\"{}\"", date.date())),
            None => out.extend_from_slice(b"null"),
        },
        DataType::Timestamp(..) => json_timestamp(column.as_primitive::<TimestampMicrosecondType>().value(row), out),
        DataType::Utf8 => json_string(column.as_string::<i32>().value(row), out),
        DataType::Binary => base64(column.as_binary::<i32>().value(row), out),
        DataType::FixedSizeList(..) => json_list(&column.as_fixed_size_list().value(row), out),
        // The closed set has no other type.
        _ => out.extend_from_slice(b"null"),
    }
}

fn json_list(items: &ArrayRef, out: &mut Vec<u8>) {
    out.push(b'[');
    for item in 0..items.len() {
        if item > 0 {
            out.push(b',');
        }
        json_value(items, item, out);
    }
    out.push(b']');
}

fn json_float(value: f64, out: &mut Vec<u8>) {
    if value.is_finite() {
        json_serde(&value, out);
    } else if value.is_nan() {
        out.extend_from_slice(b"\"NaN\"");
    } else {
        out.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    }
}

fn json_timestamp(micros: i64, out: &mut Vec<u8>) {
    match DateTime::from_timestamp_micros(micros) {
        Some(time) => print(out, format_args!("\"{}\"", time.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
        // Beyond the years that RFC 3339 can write.
        None => print(out, micros),
    }
}

fn json_string(text: &str, out: &mut Vec<u8>) {
    json_serde(text, out);
}

fn json_serde<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("numbers and texts are JSON, and a vector takes every byte");
}

fn print(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("a vector takes every byte");
}

fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push(b'"');
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let index = (group >> (18 - 6 * digit)) & 63;
            out.push(if digit <= chunk.len() { DIGITS[index as usize] } else { b'=' });
        }
    }
    out.push(b'"');
}
