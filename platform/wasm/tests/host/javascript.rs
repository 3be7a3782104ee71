//! Plugins that run in QuickJS: the same promises as for the others.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use serde_json::json;
use tiegel_engine::{Binding, FaultKind, PluginFailure, PluginHost};
use tiegel_types::{DType, Field, Schema};

use crate::binding::{Bench, batch, bytes, component};

const CALL_MS_MAX: u64 = 300;

/// How far past its deadline a runaway call may go on a busy machine.
const OVERRUN_MS_MAX: u128 = 100;

fn texts(values: Vec<Option<String>>) -> (Schema, RecordBatch) {
    let schema = Schema::new(vec![Field::new("line", DType::Utf8)]);
    let column: ArrayRef = Arc::new(StringArray::from(values));
    (schema.clone(), batch(&schema, vec![column]))
}

fn numbers(values: impl IntoIterator<Item = f64>) -> (Schema, RecordBatch) {
    let schema = Schema::new(vec![Field::new("x", DType::Float64)]);
    let column: ArrayRef = Arc::new(Float64Array::from_iter_values(values));
    (schema.clone(), batch(&schema, vec![column]))
}

fn extract(bench: &Bench, pattern: &str, input: &Schema) -> Binding {
    bench.bind("regex-extract", json!({"pattern": pattern, "types": {"n": "int64"}}), input)
}

#[test]
fn rows_give_the_same_bytes_alone_and_together_fresh_and_warm() {
    let bench = Bench::new();
    let line = |i: usize| (!i.is_multiple_of(5)).then(|| format!("grüße {} {}", i, "日本".repeat(i % 3)));
    let (schema, rows) = texts((0..40).map(line).collect());
    let transformer = bench.host.transformer(&extract(&bench, r"(?<n>\d+) (?<rest>.*)", &schema), None).unwrap();
    let whole = transformer.transform(&rows).unwrap();
    assert_eq!(bytes(&transformer.transform(&rows).unwrap()), bytes(&whole), "warm");
    assert_eq!(whole.column(0).as_primitive::<Int64Type>().value(7), 7);
    assert_eq!(whole.column(1).as_string::<i32>().value(7), "日本");
    for row in 0..rows.num_rows() {
        let one = transformer.transform(&rows.slice(row, 1)).unwrap();
        assert_eq!(one.columns(), whole.slice(row, 1).columns(), "row {row}");
    }
}

#[test]
fn a_catastrophic_pattern_is_stopped_at_the_deadline_and_the_next_call_is_served() {
    let bench = Bench::new();
    let (schema, rows) = texts(vec![Some(format!("{}!", "a".repeat(60)))]);
    let mut binding = extract(&bench, "^(?<n>(a+)+)$", &schema);
    binding.limits.call = Duration::from_millis(CALL_MS_MAX);
    let transformer = bench.host.transformer(&binding, None).unwrap();
    let started = Instant::now();
    let failure = transformer.transform(&rows).unwrap_err();
    let overrun = started.elapsed().as_millis().saturating_sub(u128::from(CALL_MS_MAX));
    assert!(matches!(failure, PluginFailure::Fault { kind: FaultKind::Timeout, .. }), "{failure}");
    assert!(overrun < OVERRUN_MS_MAX, "{overrun} ms over");
    let (_, harmless) = texts(vec![Some("aaa".to_owned())]);
    assert_eq!(transformer.transform(&harmless).unwrap().num_rows(), 1);
}

#[test]
fn the_same_chunks_give_the_same_state_and_refusals_name_column_and_row() {
    let bench = Bench::new();
    let (schema, rows) = numbers((0..9_000).map(|i| f64::from(i).sin() * 1e3));
    let binding = bench.bind("clip-outliers", json!({"method": "sigma", "k": 1}), &schema);
    let chunks = [rows.slice(0, 5_000), rows.slice(5_000, 4_000)];
    let (once, again) = (bench.fit(&binding, &chunks).unwrap(), bench.fit(&binding, &chunks).unwrap());
    assert_eq!(once.state, again.state);
    let (_, infinite) = numbers([1.0, f64::INFINITY]);
    let failure = bench.fit(&binding, &[infinite]).err().unwrap();
    let PluginFailure::Refused { message, column, row, .. } = failure else { panic!("{failure}") };
    assert_eq!(message, "a value is not finite; filter or impute it first");
    assert_eq!((column.as_deref(), row), (Some("x"), Some(1)));
}

#[test]
fn a_component_asks_for_nothing_but_the_contract() {
    for plugin in ["regex-extract", "clip-outliers"] {
        let wasm = component(plugin);
        let mut depth = 0;
        for payload in wasmparser::Parser::new(0).parse_all(&wasm) {
            match payload.unwrap() {
                wasmparser::Payload::ModuleSection { .. } | wasmparser::Payload::ComponentSection { .. } => depth += 1,
                wasmparser::Payload::End(_) => depth = i32::max(depth - 1, 0),
                wasmparser::Payload::ComponentImportSection(imports) if depth == 0 => {
                    for import in imports {
                        let name = import.unwrap().name.name;
                        assert!(name.starts_with("tiegel:plugin/"), "{plugin} imports {name}");
                    }
                }
                _ => {}
            }
        }
    }
}
