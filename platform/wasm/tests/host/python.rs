//! Components with CPython in them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Float64Type, Int64Type};
use serde_json::json;
use tiegel_engine::{PluginFailure, PluginHost, arrow_schema};
use tiegel_types::{DType, Field, Schema};

use crate::binding::Bench;

fn texts(name: &str, values: &[Option<&str>]) -> (Schema, RecordBatch) {
    let schema = Schema::new(vec![Field { nullable: true, ..Field::new(name, DType::Utf8) }]);
    let column: ArrayRef = Arc::new(StringArray::from(values.to_vec()));
    let batch = RecordBatch::try_new(arrow_schema(&schema), vec![column]).unwrap();
    (schema, batch)
}

#[test]
fn a_python_plugin_masks_texts_and_describes_its_config() {
    let bench = Bench::new();
    let (schema, batch) = texts("note", &[Some("ask ada@example.org"), None, Some("4111 1111 1111 1111"), Some("æ")]);
    let binding = bench.bind("pii-mask", json!({"keep_last": 4}), &schema);
    let answer = bench.host.transformer(&binding, None).unwrap().transform(&batch).unwrap();
    let found: Vec<_> = answer.column(0).as_string::<i32>().iter().collect();
    assert_eq!(found, [Some("ask [email]"), None, Some("[card]1111"), Some("æ")]);
    let wasm = crate::binding::component("pii-mask");
    let descriptor = bench.host.install(&wasm).unwrap();
    assert_eq!((descriptor.name.as_str(), descriptor.row_wise, descriptor.fits), ("pii-mask", true, false));
    assert_eq!(descriptor.config_schema["properties"]["keep_last"]["maximum"], 4);
    assert!(descriptor.summary.starts_with("Masks e-mail addresses"), "{}", descriptor.summary);
}

#[test]
fn a_python_plugin_gives_typed_columns_and_rows_come_out_alone_as_together() {
    let bench = Bench::new();
    let events = [Some(r#"{"n": 7, "x": {"y": [0.5]}}"#), None, Some("{}"), Some(r#"{"n": -1, "x": {"y": [2]}}"#)];
    let (schema, batch) = texts("event", &events);
    let columns =
        json!([{"name": "n", "path": "n", "type": "int64"}, {"name": "y", "path": "x.y[0]", "type": "float64"}]);
    let binding = bench.bind("json-flatten", json!({"columns": columns}), &schema);
    let transformer = bench.host.transformer(&binding, None).unwrap();
    let answer = transformer.transform(&batch).unwrap();
    assert_eq!(
        answer.column(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(),
        [Some(7), None, None, Some(-1)]
    );
    let floats: Vec<_> = answer.column(1).as_primitive::<Float64Type>().iter().collect();
    assert_eq!(floats, [Some(0.5), None, None, Some(2.0)]);
    for row in 0..batch.num_rows() {
        assert_eq!(transformer.transform(&batch.slice(row, 1)).unwrap(), answer.slice(row, 1), "row {row}");
    }
    assert_eq!(transformer.transform(&batch.slice(0, 0)).unwrap().num_rows(), 0);
}

#[test]
fn what_a_python_plugin_refuses_names_column_and_row() {
    let bench = Bench::new();
    let (schema, batch) = texts("event", &[Some("{}"), Some("{oops")]);
    let columns = json!([{"name": "n", "path": "n", "type": "int64"}]);
    let binding = bench.bind("json-flatten", json!({"columns": columns}), &schema);
    let refused = bench.host.transformer(&binding, None).unwrap().transform(&batch).unwrap_err();
    let PluginFailure::Refused { message, column, row, .. } = refused else { panic!("{refused}") };
    assert_eq!((column.as_deref(), row), (Some("event"), Some(1)));
    assert!(message.starts_with("the text is not JSON: "), "{message}");
    let misspelt = bench.bind("json-flatten", json!({"colums": []}), &schema);
    let refused = bench.host.transformer(&misspelt, None).err().unwrap().to_string();
    assert!(refused.contains("config: unknown field `colums`; there is columns, invalid"), "{refused}");
}
