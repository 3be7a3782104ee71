//! Components that an earlier release built, run by this host: the same state, the same bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float32Array, RecordBatch, TimestampMicrosecondArray};
use serde::Deserialize;
use serde_json::Value;
use tiegel_engine::{Binding, PluginHost, PluginImage, PluginLimits};
use tiegel_types::{DType, Digest, Schema};

use crate::binding::{Bench, batch, fields, state};

#[derive(Deserialize)]
struct Golden {
    config: Value,
    column: Column,
    /// None of a plugin that learns nothing.
    state: Option<String>,
    output: Vec<Output>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    #[serde(flatten)]
    values: Values,
}

#[derive(Deserialize)]
#[serde(tag = "dtype", content = "values", rename_all = "snake_case")]
enum Values {
    Float32(Vec<Option<f32>>),
    TimestampUs(Vec<Option<i64>>),
}

#[derive(Debug, Deserialize, PartialEq)]
struct Output {
    name: String,
    data: String,
    validity: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/wit/golden/v1")
}

fn input(column: Column) -> (Schema, RecordBatch) {
    let (dtype, array): (DType, ArrayRef) = match column.values {
        Values::Float32(values) => (DType::Float32, Arc::new(Float32Array::from(values))),
        Values::TimestampUs(values) => {
            (DType::TimestampUs, Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")))
        }
    };
    let schema = fields(&[(&column.name, dtype)]);
    let rows = batch(&schema, vec![array]);
    (schema, rows)
}

fn outputs(batch: &RecordBatch) -> Vec<Output> {
    let columns = batch.schema_ref().fields().iter().zip(batch.columns());
    let output = |(field, array): (&Arc<arrow::datatypes::Field>, &ArrayRef)| {
        let data = array.to_data();
        let values = data.child_data().first().unwrap_or(&data);
        Output {
            name: field.name().clone(),
            data: hex::encode(values.buffers()[0].as_slice()),
            validity: array.nulls().map(|nulls| hex::encode(nulls.validity())),
        }
    };
    columns.map(output).collect()
}

fn check(plugin: &str) {
    let wasm = std::fs::read(folder().join(plugin).with_extension("wasm")).unwrap();
    let text = std::fs::read_to_string(folder().join(plugin).with_extension("json")).unwrap();
    let golden: Golden = serde_json::from_str(&text).unwrap();
    let (schema, rows) = input(golden.column);
    let bench = Bench::new();
    bench.host.install(&wasm).unwrap();
    let image = PluginImage { digest: Digest::of(&wasm), label: plugin.to_owned() };
    let (config, limits) = (golden.config, PluginLimits::default());
    let binding = Binding { image, config, input: schema, target: None, limits };
    let learnt = golden.state.map(|expected| {
        let fitted = bench.fit(&binding, std::slice::from_ref(&rows)).unwrap();
        assert_eq!(hex::encode(&fitted.state), expected, "{plugin}: state");
        state(&fitted)
    });
    let found = bench.host.transformer(&binding, learnt).unwrap().transform(&rows).unwrap();
    assert_eq!(outputs(&found), golden.output, "{plugin}: output");
}

#[test]
fn golden_components_are_the_released_ones() {
    let list = std::fs::read_to_string(folder().join("components.sha256")).unwrap();
    let mut listed: Vec<String> = Vec::new();
    for line in list.lines() {
        let (digest, name) = line.split_once("  ").unwrap();
        let wasm = std::fs::read(folder().join(name)).unwrap();
        assert_eq!(Digest::of(&wasm).to_string().trim_start_matches("sha256:"), digest, "{name} has changed");
        listed.push(name.to_owned());
    }
    assert_eq!(listed, ["calendar.wasm", "standardize.wasm"]);
}

#[test]
fn a_released_estimator_learns_the_same_state_and_answers_the_same_bytes() {
    check("standardize");
}

#[test]
fn a_released_transform_answers_the_same_bytes() {
    check("calendar");
}
