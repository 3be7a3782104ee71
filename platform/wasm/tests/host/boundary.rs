//! Arrow on both sides: what goes through a plugin unchanged comes back unchanged.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, FixedSizeListArray, Float32Array, Int64Array,
    RecordBatch, StringArray, StringViewArray, TimestampSecondArray,
};
use arrow::datatypes::{DataType, Field as ArrowField, Int32Type, Schema as ArrowSchema};
use serde_json::json;
use tiegel_engine::{PluginErrorCode, PluginFailure, PluginHost};
use tiegel_types::{DType, Field, Schema};

use crate::binding::{Bench, batch, bytes, fields, floats};

fn mixed() -> (Schema, RecordBatch) {
    let mut schema = fields(&[
        ("f", DType::Float32),
        ("i", DType::Int64),
        ("b", DType::Boolean),
        ("s", DType::Utf8),
        ("y", DType::Binary),
        ("e", DType::Float32),
    ]);
    schema.fields[5].width = 3;
    let nulls = |row: &i64| row % 7 != 3;
    let rows = 0..1_000i64;
    let text = |row: i64| "æ".repeat(row as usize % 5);
    let item = Arc::new(ArrowField::new("item", DataType::Float32, false));
    let items = Arc::new(Float32Array::from_iter_values((0..3_000).map(|i| i as f32)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Float32Array::from_iter(rows.clone().map(|row| Some(row as f32).filter(|_| nulls(&row))))),
        Arc::new(Int64Array::from_iter(rows.clone().map(Some))),
        Arc::new(BooleanArray::from_iter(rows.clone().map(|row| Some(row % 3 == 0).filter(|_| nulls(&row))))),
        Arc::new(StringArray::from_iter(rows.clone().map(|row| Some(text(row)).filter(|_| nulls(&row))))),
        Arc::new(BinaryArray::from_iter(rows.clone().map(|row| Some(vec![255u8; row as usize % 3])))),
        Arc::new(FixedSizeListArray::new(item, 3, items, None)),
    ];
    let batch = batch(&schema, columns);
    (schema, batch)
}

#[test]
fn every_type_comes_back_from_any_slice() {
    let bench = Bench::new();
    let (schema, rows) = mixed();
    let binding = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let transformer = bench.host.transformer(&binding, None).unwrap();
    for (from, len) in [(0, 1_000), (0, 1), (3, 1), (5, 700), (8, 64), (993, 7), (17, 0)] {
        let slice = rows.slice(from, len);
        assert_eq!(transformer.transform(&slice).unwrap(), slice, "{len} rows from {from}");
    }
}

#[test]
fn large_batches_are_cut_and_joined() {
    let bench = Bench::new();
    let (schema, rows) = floats((0..100_001).map(|i| i as f32));
    let binding = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let transformer = bench.host.transformer(&binding, None).unwrap();
    assert_eq!(transformer.transform(&rows).unwrap(), rows);
    let mut outputs = Vec::new();
    let mut inputs = [Ok(rows.clone())].into_iter();
    transformer
        .transform_all(&mut inputs, &mut |batch| {
            outputs.push(batch.num_rows());
            Ok(())
        })
        .unwrap();
    assert_eq!(outputs, [16_384, 16_384, 16_384, 16_384, 16_384, 16_384, 1_697]);
}

#[test]
fn batches_of_many_bytes_are_cut_to_the_memory_of_the_guest() {
    let bench = Bench::new();
    let schema = fields(&[("s", DType::Utf8)]);
    let text = "x".repeat(100_000);
    let rows = batch(&schema, vec![Arc::new(StringArray::from_iter_values(vec![text; 1_000])) as _]);
    let mut binding = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    binding.limits.memory_bytes_max = 64 << 20;
    let transformer = bench.host.transformer(&binding, None).unwrap();
    assert_eq!(transformer.transform(&rows).unwrap(), rows);
}

#[test]
fn other_arrow_types_of_the_same_values_are_taken() {
    let bench = Bench::new();
    let schema = fields(&[("a", DType::Utf8), ("b", DType::Utf8), ("t", DType::TimestampUs)]);
    let texts = ["x", "y", "x"];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringViewArray::from_iter_values(texts)),
        Arc::new(texts.into_iter().collect::<DictionaryArray<Int32Type>>()),
        Arc::new(TimestampSecondArray::from(vec![1, 2, 3]).with_timezone("UTC")),
    ];
    let typed = |(name, column): (&str, &ArrayRef)| ArrowField::new(name, column.data_type().clone(), true);
    let arrow = ArrowSchema::new(["a", "b", "t"].into_iter().zip(&columns).map(typed).collect::<Vec<_>>());
    let rows = RecordBatch::try_new(Arc::new(arrow), columns).unwrap();
    let binding = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let output = bench.host.transformer(&binding, None).unwrap().transform(&rows).unwrap();
    let plain: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let micros = arrow::array::TimestampMicrosecondArray::from(vec![1_000_000, 2_000_000, 3_000_000]);
    let expected = batch(&schema, vec![Arc::clone(&plain), plain, Arc::new(micros.with_timezone("UTC")) as _]);
    assert_eq!(bytes(&output), bytes(&expected));
}

#[test]
fn a_batch_that_does_not_fit_the_binding_names_the_column() {
    let bench = Bench::new();
    let (schema, _) = floats([1.0]);
    let binding = bench.bind("hostile", json!({"mode": "identity"}), &schema);
    let transformer = bench.host.transformer(&binding, None).unwrap();
    let ints = batch(&fields(&[("x", DType::Int64)]), vec![Arc::new(Int64Array::from(vec![1])) as _]);
    let PluginFailure::Refused { code, message, column, .. } = transformer.transform(&ints).unwrap_err() else {
        panic!("a wrong input is no fault of the plugin");
    };
    assert_eq!(code, PluginErrorCode::InvalidInput);
    assert_eq!(message, "the column is Int64; float32 of width 1 is needed");
    assert_eq!(column.as_deref(), Some("x"));
    let other = batch(&fields(&[("y", DType::Float32)]), vec![Arc::new(Float32Array::from(vec![1.0])) as _]);
    let error = transformer.transform(&other).unwrap_err().to_string();
    assert_eq!(error, "plugin hostile@0.1.0: the batch lacks a column (column 'x')");
}

#[test]
fn the_row_of_an_error_counts_from_the_start_of_the_callers_batch() {
    let bench = Bench::new();
    let (schema, mut rows) = floats((0..40_000).map(|i| if i == 30_000 { f32::NAN } else { i as f32 }));
    rows = rows.slice(10_000, 30_000);
    let binding = bench.bind("standardize", json!({}), &schema);
    let error = bench.fit(&binding, &[rows]).unwrap_err().to_string();
    assert_eq!(
        error,
        "plugin standardize@0.1.0: a value is not finite; filter or impute it first (column 'x', row 20000)"
    );
}

#[test]
fn a_config_that_is_not_the_plugins_is_refused_in_its_words() {
    let bench = Bench::new();
    let (schema, _) = floats([1.0]);
    let binding = bench.bind("standardize", json!({"null": "mean"}), &schema);
    let error = bench.host.output_schema(&binding).unwrap_err().to_string();
    assert_eq!(error, "plugin standardize@0.1.0: config: unknown field `null`, expected `nulls` at line 1 column 7");
    let ready = bench.bind("standardize", json!({}), &schema);
    let output = bench.host.output_schema(&ready).unwrap().unwrap();
    assert_eq!(output, Schema::new(vec![Field::new("x", DType::Float32)]));
}
