use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tiegel_engine::{FitStep, TableEngine, TableError};
use tiegel_types::limits::FIT_CHUNK_ROWS;
use tiegel_types::{DType, Split, Table};
use tokio_util::sync::CancellationToken;

use crate::fixture::{Lab, binding, field, flights, flights_schema};

const ROWS: usize = 3 * FIT_CHUNK_ROWS + 1_000;

fn step(split: Option<Split>) -> FitStep {
    FitStep { binding: binding(json!({})), split }
}

async fn state(lab: &Lab, table: &Table, step: FitStep) -> Vec<Value> {
    let fitted = lab.engine.fit(step, table, CancellationToken::new()).await.unwrap();
    fitted.state.split(|byte| *byte == b'\n').map(|part| serde_json::from_slice(part).unwrap()).collect()
}

#[tokio::test]
async fn chunks_are_fixed_and_merged_in_order_whatever_the_threads_and_files() {
    let one = Lab::new(1);
    let table = one.table(flights_schema(), vec![flights(0, ROWS)]).await;
    let expected = state(&one, &table, step(None)).await;
    let sizes: Vec<_> = expected.iter().map(|chunk| chunk["batches"].clone()).collect();
    assert_eq!(
        sizes,
        [
            json!([16384, 16384, 16384, 16384]),
            json!([16384, 16384, 16384, 16384]),
            json!([16384, 16384, 16384, 16384]),
            json!([1000])
        ]
    );
    assert_eq!(expected.iter().map(|chunk| chunk["chunk"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);

    let mut cut = table.clone();
    cut.files = Vec::new();
    for (from, to) in [(0, 10), (10, 70_001), (70_001, ROWS)] {
        cut.files.extend(one.table(flights_schema(), vec![flights(from, to)]).await.files);
    }
    for partitions in [2, 4] {
        let many = Lab::over(one.blobs.clone(), partitions, 64 << 20);
        let mut overlapping = step(None);
        overlapping.binding.config = json!({ "overlap": true });
        assert_eq!(state(&many, &table, overlapping).await, expected, "{partitions} threads");
        assert_eq!(state(&many, &cut, step(None)).await, expected, "{partitions} threads, other files");
        assert!(many.host.overlapped.load(Ordering::SeqCst), "the chunks run in parallel");
    }
}

#[tokio::test]
async fn only_the_rows_of_the_split_teach() {
    let lab = Lab::new(2);
    let table = lab.table(flights_schema(), vec![flights(0, ROWS)]).await;
    let train = state(&lab, &table, step(Some(Split::Train))).await;
    let rows: u64 = train.iter().flat_map(|c| c["batches"].as_array().unwrap()).map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(rows as usize, ROWS.div_ceil(3));
    assert_eq!(train.len(), 2);
}

#[tokio::test]
async fn the_target_comes_beside_the_inputs() {
    let lab = Lab::new(2);
    let table = lab.table(flights_schema(), vec![flights(0, 100)]).await;
    let mut with_target = step(None);
    with_target.binding.target = Some(field("id", DType::Int64));
    assert_eq!(state(&lab, &table, with_target).await[0]["targets"], 100);
    assert_eq!(state(&lab, &table, step(None)).await[0]["targets"], Value::Null);
}

#[tokio::test]
async fn a_fit_that_cannot_be_says_why() {
    let lab = Lab::new(2);
    let table = lab.table(flights_schema(), vec![flights(0, 2)]).await;
    let fit = |step: FitStep| lab.engine.fit(step, &table, CancellationToken::new());
    let error = fit(step(Some(Split::Test))).await.unwrap_err().to_string();
    assert_eq!(error, "plugin native@1.0.0 has no rows to learn from in split 'test'");
    let mut unknown = step(None);
    unknown.binding.input.fields[0].name = "altitude".into();
    assert!(fit(unknown).await.unwrap_err().to_string().starts_with("there is no column 'altitude'"));
    let mut promised = step(None);
    promised.binding.input.fields[0].nullable = false;
    let error = fit(promised).await.unwrap_err().to_string();
    assert_eq!(error, "column 'x' holds nulls, which the plugin was promised not to see");
    let cancel = CancellationToken::new();
    cancel.cancel();
    assert!(matches!(lab.engine.fit(step(None), &table, cancel).await, Err(TableError::Cancelled)));
}
