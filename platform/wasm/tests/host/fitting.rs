use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Int32Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::Float32Type;
use rayon::prelude::*;
use serde_json::{Value, json};
use tiegel_engine::{FitRows, PluginHost};
use tiegel_types::{DType, Field, Schema};

use crate::binding::{Bench, batch, bytes, fields, state};

const ROWS: usize = 50_000;

/// Rows with numbers, categories, times and nulls, drawn from a fixed sequence.
fn flights() -> (Schema, RecordBatch) {
    let schema = fields(&[
        ("delay", DType::Float32),
        ("distance", DType::Int32),
        ("humidity", DType::Float64),
        ("carrier", DType::Utf8),
        ("late", DType::Boolean),
        ("departure", DType::TimestampUs),
    ]);
    let mut seed = 7u64;
    let mut draw = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed >> 33
    };
    let mut column = |nulls: u64| -> Vec<Option<u64>> {
        (0..ROWS).map(|_| Some(draw()).filter(|value| nulls == 0 || value % nulls != 0)).collect()
    };
    let delay: Float32Array = column(11).into_iter().map(|v| v.map(|v| (v % 900) as f32 / 7.0)).collect();
    let distance: Int32Array = column(0).into_iter().map(|v| v.map(|v| (v % 5_000) as i32 - 100)).collect();
    let humidity: Float64Array = column(13).into_iter().map(|v| v.map(|v| (v % 1_000) as f64 / 10.0)).collect();
    let carriers = ["UA", "AA", "B6", "DL", "EV", "Ünïted"];
    let carrier: StringArray = column(17).into_iter().map(|v| v.map(|v| carriers[v as usize % 6])).collect();
    let late: BooleanArray = column(5).into_iter().map(|v| v.map(|v| v % 3 == 0)).collect();
    let departure: TimestampMicrosecondArray =
        column(19).into_iter().map(|v| v.map(|v| 1_356_998_400_000_000 + v as i64 * 12_345)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(delay),
        Arc::new(distance),
        Arc::new(humidity),
        Arc::new(carrier),
        Arc::new(late),
        Arc::new(departure.with_timezone("UTC")),
    ];
    let batch = batch(&schema, columns);
    (schema, batch)
}

/// A plugin with its config, and the columns of `flights` that it reads.
fn cases() -> Vec<(&'static str, Value, Vec<usize>)> {
    vec![
        ("standardize", json!({}), vec![0, 1, 2]),
        ("standardize", json!({"nulls": "mean"}), vec![0, 1, 2]),
        ("one-hot", json!({"unknown": "column", "nulls": "column"}), vec![3, 4]),
        ("one-hot", json!({"max_categories": 4}), vec![3, 1]),
        ("impute", json!({"strategy": "mean"}), vec![0, 1, 2, 5]),
        ("impute", json!({"strategy": "median"}), vec![0, 2, 5]),
        ("impute", json!({"strategy": "mode"}), vec![1, 3, 4]),
    ]
}

fn project(schema: &Schema, rows: &RecordBatch, columns: &[usize]) -> (Schema, RecordBatch) {
    let schema = Schema::new(columns.iter().map(|i| schema.fields[*i].clone()).collect());
    (schema, rows.project(columns).unwrap())
}

#[test]
fn a_parallel_fit_of_fixed_chunks_gives_the_same_state_bytes_as_a_serial_one() {
    let bench = Bench::new();
    let (schema, rows) = flights();
    for (plugin, config, columns) in cases() {
        let (schema, rows) = project(&schema, &rows, &columns);
        let binding = bench.bind(plugin, config.clone(), &schema);
        let chunks: Vec<_> = (0..ROWS).step_by(8_192).map(|at| rows.slice(at, 8_192.min(ROWS - at))).collect();
        let serial = bench.fit(&binding, &chunks).unwrap();
        let partials: Vec<_> = chunks
            .par_iter()
            .enumerate()
            .map(|(chunk, batch)| bench.partial(&binding, chunk as u64, batch).unwrap())
            .collect();
        let parallel = bench.host.finish(&binding, &partials).unwrap();
        assert_eq!(parallel.state, serial.state, "{plugin} {config}");
        assert!(!serial.state.is_empty());
        assert_eq!(parallel.output, serial.output);
    }
}

#[test]
fn counts_and_sets_do_not_depend_on_the_chunks_at_all() {
    let bench = Bench::new();
    let (schema, rows) = flights();
    let exact = cases()
        .into_iter()
        .filter(|(plugin, config, _)| *plugin == "one-hot" || (*plugin == "impute" && config["strategy"] != "mean"));
    for (plugin, config, columns) in exact {
        let (schema, rows) = project(&schema, &rows, &columns);
        let binding = bench.bind(plugin, config.clone(), &schema);
        let whole = bench.fit(&binding, std::slice::from_ref(&rows)).unwrap();
        let split = bench.fit(&binding, &[rows.slice(33_000, 17_000), rows.slice(0, 33_000)]).unwrap();
        assert_eq!(whole.state, split.state, "{plugin} {config}");
    }
}

#[test]
fn one_row_at_a_time_gives_the_bytes_of_many_at_once() {
    let bench = Bench::new();
    let (schema, rows) = flights();
    let mut all = cases();
    all.push(("calendar", json!({"utc_offset_minutes": -300}), vec![5]));
    for (plugin, config, columns) in all {
        let (schema, rows) = project(&schema, &rows, &columns);
        let binding = bench.bind(plugin, config.clone(), &schema);
        let transformer = match plugin {
            "calendar" => bench.host.transformer(&binding, None).unwrap(),
            _ => bench.fitted(&binding, &rows),
        };
        let together = transformer.transform(&rows.slice(0, 300)).unwrap();
        let singles: Vec<_> = (0..300).map(|row| transformer.transform(&rows.slice(row, 1)).unwrap()).collect();
        let joined = concat_batches(together.schema_ref(), &singles).unwrap();
        assert!(bytes(&joined) == bytes(&together), "{plugin} {config}");
    }
}

#[test]
fn a_state_survives_into_another_host_with_the_same_bytes() {
    let (first, second) = (Bench::new(), Bench::new());
    let (schema, rows) = flights();
    for (plugin, config, columns) in cases() {
        let (schema, rows) = project(&schema, &rows, &columns);
        let binding = first.bind(plugin, config.clone(), &schema);
        let fitted = first.fit(&binding, std::slice::from_ref(&rows)).unwrap();
        second.bind(plugin, config.clone(), &schema);
        let transform = |bench: &Bench| {
            let transformer = bench.host.transformer(&binding, Some(state(&fitted))).unwrap();
            assert_eq!(*transformer.output(), fitted.output);
            transformer.transform(&rows).unwrap()
        };
        assert!(bytes(&transform(&first)) == bytes(&transform(&second)), "{plugin} {config}");
    }
}

#[test]
fn a_plugin_sees_the_target_while_it_fits_and_never_after() {
    let bench = Bench::new();
    let schema = fields(&[("x", DType::Float32)]);
    let rows = 40_000;
    let x = batch(&schema, vec![Arc::new(Float32Array::from(vec![0.0; rows])) as _]);
    let y: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64)));
    let mut binding = bench.bind("hostile", json!({"mode": "sum-target"}), &schema);
    binding.target = Some(Field::new("y", DType::Float64));
    let with_target = |targets| FitRows { batches: vec![x.clone()], targets };
    let sum = bench.host.partial(&binding, 0, &with_target(Some(vec![y]))).unwrap();
    assert_eq!(sum, (39_999.0 * 40_000.0 / 2.0f64).to_le_bytes());
    let error = bench.host.partial(&binding, 0, &with_target(None)).unwrap_err().to_string();
    assert_eq!(error, "plugin hostile@0.1.0: the target lacks rows (column 'y')");
    binding.target = None;
    let error = bench.host.partial(&binding, 0, &with_target(None)).unwrap_err().to_string();
    assert_eq!(error, "plugin hostile@0.1.0: there is no target");
}

#[test]
fn random_numbers_depend_on_the_chunk_and_on_nothing_else() {
    let bench = Bench::new();
    let schema = fields(&[("x", DType::Float32)]);
    let x = batch(&schema, vec![Arc::new(Float32Array::from(vec![0.0])) as _]);
    let binding = bench.bind("hostile", json!({"mode": "draw-random"}), &schema);
    let draw = |chunk| bench.partial(&binding, chunk, &x).unwrap();
    assert_eq!(draw(0), draw(0));
    assert_ne!(draw(0), draw(1));
    let elsewhere = Bench::new();
    elsewhere.bind("hostile", json!({"mode": "draw-random"}), &schema);
    assert_eq!(elsewhere.partial(&binding, 1, &x).unwrap(), draw(1));
}

#[test]
fn standardize_agrees_with_the_definition() {
    let bench = Bench::new();
    let (schema, rows) = flights();
    let (schema, rows) = project(&schema, &rows, &[0]);
    let binding = bench.bind("standardize", json!({}), &schema);
    let output = bench.fitted(&binding, &rows).transform(&rows).unwrap();
    let input: Vec<Option<f64>> =
        rows.column(0).as_primitive::<Float32Type>().iter().map(|v| v.map(f64::from)).collect();
    let count = input.iter().flatten().count() as f64;
    let mean = input.iter().flatten().sum::<f64>() / count;
    let deviation = (input.iter().flatten().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
    let found = output.column(0).as_primitive::<Float32Type>();
    assert_eq!(found.null_count(), rows.column(0).null_count());
    for (row, (found, input)) in found.iter().zip(&input).enumerate() {
        let expected = input.map(|v| (v - mean) / deviation);
        let near = match (found, expected) {
            (Some(found), Some(expected)) => (f64::from(found) - expected).abs() < 1e-5,
            (found, expected) => found.is_none() && expected.is_none(),
        };
        assert!(near, "row {row}: {found:?} is not {expected:?}");
    }
}

#[test]
fn one_hot_learns_from_the_training_rows_only() {
    let bench = Bench::new();
    let schema = fields(&[("carrier", DType::Utf8)]);
    let carriers = |values: &[Option<&str>]| batch(&schema, vec![Arc::new(StringArray::from(values.to_vec())) as _]);
    let binding = bench.bind("one-hot", json!({}), &schema);
    assert_eq!(bench.host.output_schema(&binding).unwrap(), None);
    let transformer = bench.fitted(&binding, &carriers(&[Some("UA"), Some("AA"), None]));
    assert_eq!(transformer.output().fields[0].width, 2);
    let output = transformer.transform(&carriers(&[Some("UA"), Some("??"), None, Some("AA")])).unwrap();
    let values = output.column(0).as_fixed_size_list().values().as_primitive::<Float32Type>().values().to_vec();
    assert_eq!(values, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
}
