use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type};
use serde_json::json;
use tiegel_engine::{TableEngine, TableError, TransformStep, Written};
use tiegel_types::{DType, Digest, Ordering, Schema, StateRef, Table};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::fixture::{Lab, binding, field, flights, flights_schema};

const ROWS: usize = 40_000;

fn step(config: serde_json::Value) -> TransformStep {
    TransformStep { binding: binding(config), state: None, ordering: None, keep: Vec::new() }
}

fn ordering(partition_by: &[&str], order_by: &[&str]) -> Option<Ordering> {
    let names = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    Some(Ordering { partition_by: names(partition_by), order_by: names(order_by) })
}

async fn lab(partitions: usize) -> (Lab, Table) {
    let lab = Lab::new(partitions);
    let table = lab.table(flights_schema(), vec![flights(0, ROWS)]).await;
    (lab, table)
}

async fn run(lab: &Lab, table: &Table, step: TransformStep) -> Result<Written, TableError> {
    lab.engine.transform(step, table, lab.scratch(), CancellationToken::new()).await
}

async fn rows(lab: &Lab, table: &Table, step: TransformStep) -> RecordBatch {
    let written = run(lab, table, step).await.unwrap();
    lab.rows(&lab.store(written).await).await
}

fn names(schema: &Schema) -> Vec<&str> {
    schema.names().collect()
}

#[tokio::test]
async fn row_wise_output_keeps_the_order_and_the_columns_that_pass() {
    let (lab, table) = lab(4).await;
    let mut kept = step(json!({ "mode": "add", "by": 1.5, "rows": 777 }));
    kept.keep = vec!["x".into()];
    let written = run(&lab, &table, kept.clone()).await.unwrap();
    assert_eq!(names(&written.schema), ["id", "x", "carrier", "split", "y"]);
    let output = lab.rows(&lab.store(written).await).await;
    assert_eq!(output.column(0).as_primitive::<Int64Type>().values().to_vec(), (0..ROWS as i64).collect::<Vec<_>>());
    let (xs, ys) = (output.column(1).as_primitive::<Float64Type>(), output.column(4).as_primitive::<Float64Type>());
    assert!(xs.iter().zip(ys).all(|(x, y)| y == x.map(|x| x + 1.5)));

    let read = rows(&lab, &table, step(json!({ "mode": "add" }))).await;
    assert_eq!(
        read.schema().fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(),
        ["id", "carrier", "split", "y"]
    );
}

#[tokio::test]
async fn the_bytes_do_not_depend_on_instances_or_batches() {
    let (one, table) = lab(1).await;
    let expected = run(&one, &table, step(json!({ "mode": "add", "by": 2 }))).await.unwrap().files[0].digest;
    let many = Lab::over(one.blobs.clone(), 4, 64 << 20);
    for batch_rows in [100, 5_000, 100_000] {
        let written = run(&many, &table, step(json!({ "mode": "add", "by": 2, "rows": batch_rows }))).await.unwrap();
        assert_eq!(written.files[0].digest, expected, "{batch_rows} rows a call");
    }
}

#[tokio::test]
async fn a_plugin_that_is_not_row_wise_sees_all_rows_in_the_declared_order() {
    let (lab, table) = lab(3).await;
    let mut running = step(json!({ "mode": "running" }));
    running.ordering = ordering(&["carrier"], &["id"]);
    let output = rows(&lab, &table, running).await;
    assert_eq!(output.num_columns(), 1, "only the plugin's columns remain");
    let input = lab.rows(&table).await;
    let (carriers, xs) = (input.column(2).as_string::<i32>(), input.column(1).as_primitive::<Float64Type>());
    let mut total = 0.0;
    let mut expected = Vec::new();
    for carrier in ["AA", "B6", "DL", "UA", "WN"] {
        for row in (0..ROWS).filter(|&row| carriers.value(row) == carrier) {
            total += xs.iter().nth(row).flatten().unwrap_or(0.0);
            expected.push(total);
        }
    }
    assert_eq!(output.column(0).as_primitive::<Float64Type>().values().to_vec(), expected);
}

#[tokio::test]
async fn rows_that_tie_in_the_declared_order_are_ordered_by_what_the_plugin_reads() {
    let (lab, table) = lab(2).await;
    let reversed = lab.rows(&table).await;
    let backwards = arrow::array::UInt32Array::from_iter_values((0..ROWS as u32).rev());
    let reversed = arrow::compute::take_record_batch(&reversed, &backwards).unwrap();
    let other = lab.table(flights_schema(), vec![reversed]).await;
    let mut running = step(json!({ "mode": "running" }));
    running.ordering = ordering(&[], &["carrier"]);
    let digest = |written: Written| written.files[0].digest;
    let first = digest(run(&lab, &table, running.clone()).await.unwrap());
    assert_eq!(digest(run(&lab, &other, running).await.unwrap()), first);
}

#[tokio::test]
async fn a_step_that_cannot_run_says_why_and_leaves_no_file() {
    let (lab, table) = lab(2).await;
    let refusal = |step| {
        let (lab, table) = (&lab, &table);
        async move { run(lab, table, step).await.unwrap_err().to_string() }
    };
    assert_eq!(
        refusal(step(json!({ "mode": "running" }))).await,
        "plugin native@1.0.0 is not row-wise: declare partitionBy and orderBy, so that its rows come in one order"
    );
    assert_eq!(
        refusal(step(json!({ "mode": "add", "output": "carrier" }))).await,
        "plugin native@1.0.0 answers a column 'carrier', and the input's column 'carrier' passes through: rename one of them, or let the plugin read it"
    );
    let mut unknown = step(json!({ "mode": "add" }));
    unknown.binding.input.fields[0].name = "altitude".into();
    assert_eq!(refusal(unknown).await, "there is no column 'altitude': the columns are id, x, carrier, split");
    let mut text = step(json!({ "mode": "add" }));
    text.binding.input = Schema::new(vec![field("carrier", DType::Float64)]);
    let error = refusal(text).await;
    assert!(error.starts_with("column 'carrier' does not fit the plugin's input: "), "{error}");
    assert_eq!(lab.scratch_files(), 0);
}

#[tokio::test]
async fn a_refusal_counts_its_row_from_the_start_of_the_table() {
    let (lab, table) = lab(3).await;
    let value = lab.rows(&table).await.column(1).as_primitive::<Float64Type>().value(31_234);
    let error = run(&lab, &table, step(json!({ "mode": "add", "refuse": value, "rows": 1000 }))).await.unwrap_err();
    assert!(matches!(error, TableError::Plugin(_)), "{error:?}");
    assert_eq!(error.to_string(), "plugin native@1.0.0: the value is refused (column 'x', row 31234)");
    assert_eq!(lab.scratch_files(), 0);
}

#[tokio::test]
async fn a_cancelled_step_leaves_no_file() {
    let (lab, table) = lab(2).await;
    let cancel = CancellationToken::new();
    cancel.cancel();
    let error = lab.engine.transform(step(json!({ "mode": "add" })), &table, lab.scratch(), cancel).await.unwrap_err();
    assert!(matches!(error, TableError::Cancelled));
    assert_eq!(lab.scratch_files(), 0);
}

#[test]
fn the_payload_travels_as_json() {
    let payload = TransformPayload {
        plugin: Digest::of(b"p"),
        label: "p@1".into(),
        config: json!({ "a": 1 }),
        state: Some(StateRef { digest: Digest::of(b"s"), version: 1, bytes: 3 }),
        input: flights_schema(),
        passed: Schema::default(),
        output: Schema::new(vec![field("y", DType::Float64)]),
        ordering: ordering(&["a"], &["b"]),
        limits: TransformLimits::from(&tiegel_engine::PluginLimits::default()),
    };
    let text = serde_json::to_string(&payload).unwrap();
    assert_eq!(serde_json::from_str::<TransformPayload>(&text).unwrap(), payload);
}
