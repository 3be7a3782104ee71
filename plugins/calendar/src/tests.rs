use tiegel_plugin::{Batch, Result};

use crate::Calendar;

const HOUR_US: i64 = 3_600_000_000;

fn run(config: &str, input: Batch) -> Result<Batch> {
    let mut plugin: Calendar = tiegel_plugin::configure(config, input.schema(), None)?;
    tiegel_plugin::transform(&mut plugin, input)
}

fn names(batch: &Batch) -> Vec<&str> {
    batch.schema().fields.iter().map(|f| f.name.as_str()).collect()
}

fn assert_near(found: &[Option<f32>], expected: &[Option<f32>]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        match (found, expected) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-6, "{found} is not {expected}"),
            _ => assert_eq!(found, expected),
        }
    }
}

#[test]
fn a_timestamp_becomes_six_columns() {
    let input = Batch::builder().timestamp_us("departure", [Some(6 * HOUR_US), None]).build().unwrap();
    let output = run("{}", input).unwrap();
    assert_eq!(
        names(&output),
        [
            "departure_hour_sin",
            "departure_hour_cos",
            "departure_weekday_sin",
            "departure_weekday_cos",
            "departure_day_of_year_sin",
            "departure_day_of_year_cos",
        ]
    );
    let column = |i: usize| output.column(i).options::<f32>().unwrap().collect::<Vec<_>>();
    assert_near(&column(0), &[Some(1.0), None]);
    assert_near(&column(1), &[Some(0.0), None]);
    // A Thursday: 3/7 of a turn.
    assert_near(&column(2), &[Some((std::f64::consts::TAU * 3.0 / 7.0).sin() as f32), None]);
    assert_near(&column(4), &[Some(0.0), None]);
    assert_near(&column(5), &[Some(1.0), None]);
}

#[test]
fn an_offset_moves_the_clock_and_with_it_the_day() {
    let input = Batch::builder().timestamp_us("t", [Some(-HOUR_US)]).build().unwrap();
    let config = r#"{"parts": ["hour", "weekday"], "prefix": "", "utc_offset_minutes": 60}"#;
    let output = run(config, input).unwrap();
    assert_eq!(names(&output), ["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"]);
    let midnight = Batch::builder().timestamp_us("t", [Some(0)]).build().unwrap();
    let expected = run(r#"{"parts": ["hour", "weekday"], "prefix": ""}"#, midnight).unwrap();
    assert_eq!(output, expected);
}

#[test]
fn a_date_has_no_hour() {
    let input = || Batch::builder().date32("day", [Some(0)]).build().unwrap();
    assert_eq!(names(&run("{}", input()).unwrap()).len(), 4);
    let error = run(r#"{"parts": ["hour"]}"#, input()).unwrap_err();
    assert_eq!(error.to_string(), "parts asks for the hour of a date, which has none (column 'day')");
}

#[test]
fn extreme_timestamps_do_not_overflow() {
    let input = Batch::builder().timestamp_us("t", [Some(i64::MIN), Some(i64::MAX)]).build().unwrap();
    let output = run(r#"{"utc_offset_minutes": 1080}"#, input).unwrap();
    for column in output.columns() {
        assert!(column.options::<f32>().unwrap().flatten().all(|v| v.abs() <= 1.0));
    }
}

#[test]
fn other_columns_are_refused_by_name() {
    let input = Batch::builder().float64("x", [Some(1.0)]).build().unwrap();
    assert_eq!(
        run("{}", input).unwrap_err().to_string(),
        "calendar reads timestamps and dates, not float64 (column 'x')"
    );
}
