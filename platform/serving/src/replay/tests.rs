use std::sync::Arc;

use arrow::array::{Float64Array, StringArray};
use tiegel_engine::{PluginFailure, TableError, arrow_schema};
use tiegel_types::{DType, Digest, Field, Schema};

use super::*;
use crate::stage::Runner;
use crate::testing::{ClosureProjector, ClosureTransformer, bundle, mapping, stage, sum};

const ROWS: usize = 700;

fn float(name: &str) -> Field {
    Field::new(name, DType::Float64)
}

fn raw_schema() -> Schema {
    Schema::new(vec![float("distance"), float("dep_time"), Field::new("carrier", DType::Utf8)])
}

fn features_schema() -> Schema {
    Schema::new(vec![float("scaled"), float("clock"), float("shifted")])
}

fn raw() -> RecordBatch {
    let number =
        |scale: f64| (0..ROWS).map(move |i| (i % 7 != 0).then_some(i as f64 * scale)).collect::<Float64Array>();
    let carriers = StringArray::from_iter_values((0..ROWS).map(|i| format!("carrier {}", i % 5)));
    let columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(number(0.1)), Arc::new(number(1.7)), Arc::new(carriers)];
    RecordBatch::try_new(arrow_schema(&raw_schema()), columns).unwrap()
}

/// distance -> scaled, dep_time -> clock, then SQL adds shifted = scaled + 1.
fn runners(scale: impl Fn(f64, usize) -> f64 + Send + Sync + 'static, clock: Runner) -> Vec<Runner> {
    let output = Schema::new(vec![float("scaled"), float("clock"), float("shifted")]);
    let schema = arrow_schema(&output);
    let run = move |rows: &RecordBatch| {
        let scaled: &Float64Array = rows.column_by_name("scaled").unwrap().as_any().downcast_ref().unwrap();
        let shifted: Float64Array = scaled.iter().map(|v| v.map(|v| v + 1.0)).collect();
        let clock = rows.column_by_name("clock").unwrap().clone();
        RecordBatch::try_new(schema.clone(), vec![Arc::new(scaled.clone()), clock, Arc::new(shifted)])
            .map_err(|e| TableError::Internal(e.to_string()))
    };
    let sql = Runner::Sql(Arc::new(ClosureProjector { output, run: Box::new(run) }));
    vec![mapping("distance", "scaled", scale), clock, sql]
}

fn steady_clock() -> Runner {
    mapping("dep_time", "clock", |v, _| v / 24.0)
}

fn loaded(runners: Vec<Runner>) -> LoadedBundle {
    let stages = vec![stage("scale"), stage("calendar"), stage("shift")];
    let bundle = bundle(raw_schema(), stages, features_schema());
    LoadedBundle::assemble(Digest::of(b"bundle"), bundle, runners, sum(features_schema())).unwrap()
}

/// What training stored: the features that the undisturbed stages make of all rows at once.
fn stored() -> Sample {
    let features = loaded(runners(|v, _| v * 2.0, steady_clock())).features(&raw()).unwrap();
    Sample { raw: raw(), features, rows: (1_000..1_000 + ROWS as u64).collect() }
}

fn replayed(loaded: &LoadedBundle) -> ReplayReport {
    Replay::new(loaded, &stored(), CancellationToken::new()).unwrap().run(7, &mut || true).unwrap()
}

#[test]
fn the_same_transforms_pass_in_batches_and_singly() {
    let report = replayed(&loaded(runners(|v, _| v * 2.0, steady_clock())));
    assert!(report.passed && report.difference.is_none(), "{report:?}");
    assert_eq!((report.rows, report.single_rows), (ROWS as u64, ROWS as u64));
    assert!(report.batches >= 2, "{report:?}");
    assert_eq!(report.max_prediction_difference, Some(0.0));
}

#[test]
fn singles_stop_when_their_time_is_over_and_the_report_says_how_many_there_were() {
    let mut left = 10;
    let mut in_time = || {
        left -= 1;
        left >= 0
    };
    let loaded = loaded(runners(|v, _| v * 2.0, steady_clock()));
    let report = Replay::new(&loaded, &stored(), CancellationToken::new()).unwrap().run(7, &mut in_time).unwrap();
    assert!(report.passed);
    assert_eq!((report.rows, report.single_rows), (ROWS as u64, 10));
}

#[test]
fn a_replay_that_nobody_waits_for_stops() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let loaded = loaded(runners(|v, _| v * 2.0, steady_clock()));
    let stopped = Replay::new(&loaded, &stored(), cancel).unwrap().run(7, &mut || true);
    assert!(matches!(stopped, Err(OpError::Cancelled)), "{stopped:?}");
}

#[test]
fn a_plugin_that_answers_otherwise_for_one_row_is_found_with_step_row_and_column() {
    let uneven = mapping("dep_time", "clock", |v, rows| if rows == 1 { v / 24.0 + 1e-9 } else { v / 24.0 });
    let report = replayed(&loaded(runners(|v, _| v * 2.0, uneven)));
    let difference = report.difference.unwrap();
    assert!(!report.passed);
    assert_eq!(
        (difference.step.as_str(), difference.column.as_str(), difference.mode),
        ("calendar", "clock", Mode::Single)
    );
    let row = (difference.row - 1_000) as f64;
    assert_eq!(difference.expected, serde_json::json!(row * 1.7 / 24.0).to_string());
    assert_eq!(difference.got, serde_json::json!(row * 1.7 / 24.0 + 1e-9).to_string());
    let message = difference.to_string();
    assert!(message.contains("step 'calendar' gives") && message.contains("(sent as single)"), "{message}");
}

#[test]
fn a_plugin_that_answers_otherwise_for_one_value_is_found_in_a_batch() {
    let report = replayed(&loaded(runners(|v, _| if v > 69.0 { 0.0 } else { v * 2.0 }, steady_clock())));
    let difference = report.difference.unwrap();
    assert_eq!((difference.step.as_str(), difference.column.as_str()), ("scale", "scaled"));
    assert!(matches!(difference.mode, Mode::Batch(2..)), "{difference:?}");
    assert_eq!(report.single_rows, 0);
}

#[test]
fn a_sql_step_that_computes_another_value_is_named_and_one_that_passes_a_column_on_is_not() {
    let mut wrong = runners(|v, _| v * 2.0, steady_clock());
    let Runner::Sql(right) = wrong[2].clone() else { panic!("the third stage is SQL") };
    let run = move |rows: &RecordBatch| {
        let right = right.project(rows)?;
        let columns = vec![right.column(0).clone(), right.column(1).clone(), right.column(0).clone()];
        RecordBatch::try_new(right.schema(), columns).map_err(|e| TableError::Internal(e.to_string()))
    };
    wrong[2] = Runner::Sql(Arc::new(ClosureProjector { output: features_schema(), run: Box::new(run) }));
    let difference = replayed(&loaded(wrong)).difference.unwrap();
    assert_eq!((difference.step.as_str(), difference.column.as_str()), ("shift", "shifted"));
}

#[test]
fn a_plugin_that_refuses_a_row_is_found_with_that_row() {
    let output = Schema::new(vec![float("clock")]);
    let right = mapping("dep_time", "clock", |v, _| v / 24.0);
    let Runner::Wasm { transformer, reads, .. } = right else { panic!("a plugin") };
    let run = move |rows: &RecordBatch| {
        let times: &Float64Array = rows.column(0).as_any().downcast_ref().unwrap();
        match times.iter().position(|v| v == Some(1.7 * 600.0)) {
            Some(row) => Err(PluginFailure::Refused {
                plugin: "calendar@1.0.0".to_owned(),
                code: tiegel_engine::PluginErrorCode::InvalidInput,
                message: "no such time".to_owned(),
                column: Some("dep_time".to_owned()),
                row: Some(row as u64),
            }),
            None => transformer.transform(rows),
        }
    };
    let clock = Arc::new(ClosureTransformer { output, run: Box::new(run) });
    let clock = Runner::Wasm { transformer: clock, reads, keep: vec![] };
    let difference = replayed(&loaded(runners(|v, _| v * 2.0, clock))).difference.unwrap();
    assert_eq!((difference.step.as_str(), difference.row, difference.mode), ("calendar", 1_600, Mode::Single));
    assert!(difference.to_string().contains("calendar@1.0.0: no such time"), "{difference}");
}

#[test]
fn predictions_may_differ_within_the_tolerance_and_no_further() {
    assert!(same_prediction(0.5, 0.5 + 5e-6));
    assert!(!same_prediction(0.5, 0.5 + 7e-6));
    assert!(same_prediction(f64::NAN, f64::NAN));
    assert!(!same_prediction(0.5, f64::NAN));
    assert!(!same_prediction(f64::NAN, 0.5));
}

#[test]
fn floats_are_compared_by_their_bits() {
    let batch = |values: Vec<Option<f64>>| {
        RecordBatch::try_new(
            arrow_schema(&Schema::new(vec![float("x")])),
            vec![Arc::new(Float64Array::from(values)) as arrow::array::ArrayRef],
        )
        .unwrap()
    };
    let stored = batch(vec![Some(f64::NAN), Some(0.0), None]);
    assert!(first_difference(&stored, &batch(vec![Some(f64::NAN), Some(0.0), None])).is_none());
    let found = first_difference(&stored, &batch(vec![Some(f64::NAN), Some(-0.0), None])).unwrap();
    assert_eq!((found.row, found.expected.as_str(), found.got.as_str()), (1, "0.0", "-0.0"));
    let found = first_difference(&stored, &batch(vec![Some(f64::NAN), Some(0.0), Some(0.0)])).unwrap();
    assert_eq!((found.row, found.expected.as_str(), found.got.as_str()), (2, "null", "0.0"));
}

#[test]
fn a_report_keeps_its_form_as_json() {
    let difference = Difference {
        step: "calendar".to_owned(),
        row: 412,
        column: "hour".to_owned(),
        expected: "0.25".to_owned(),
        got: "0.5".to_owned(),
        mode: Mode::Batch(17),
    };
    let report = ReplayReport { difference: Some(difference), ..ReplayReport::of_rows(1_000) };
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["difference"]["mode"], "batch of 17");
    assert_eq!(serde_json::from_value::<ReplayReport>(json).unwrap(), report);
}
