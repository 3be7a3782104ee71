use tiegel_plugin::{Batch, Result, Transform};

use crate::LagWindow;

fn flights(rows: &[(Option<&'static str>, Option<f64>)]) -> Batch {
    Batch::builder()
        .utf8("carrier", rows.iter().map(|(carrier, _)| *carrier))
        .float64("delay", rows.iter().map(|(_, delay)| *delay))
        .build()
        .unwrap()
}

fn bind(config: &str, input: &Batch) -> Result<LagWindow> {
    tiegel_plugin::configure(config, input.schema(), None)
}

/// The columns after those of the input.
fn run(config: &str, input: Batch) -> Result<Vec<(String, Vec<Option<f64>>)>> {
    let read = input.schema().fields.len();
    let mut plugin = bind(config, &input)?;
    let output = tiegel_plugin::transform(&mut plugin, input)?;
    let added = output.columns().skip(read);
    added.map(|column| Ok((column.name().to_owned(), column.options::<f64>()?.collect()))).collect()
}

fn rows() -> Batch {
    flights(&[
        (Some("UA"), Some(1.0)),
        (Some("AA"), Some(10.0)),
        (Some("UA"), Some(3.0)),
        (None, Some(7.0)),
        (Some("UA"), None),
        (Some("AA"), Some(20.0)),
        (Some("UA"), Some(5.0)),
        (None, Some(8.0)),
    ])
}

#[test]
fn a_lag_is_the_value_of_the_same_keys_earlier_row() {
    let added = run(r#"{"key": ["carrier"], "lags": [1, 2]}"#, rows()).unwrap();
    assert_eq!(added[0].0, "delay_lag_1");
    assert_eq!(added[0].1, [None, None, Some(1.0), None, Some(3.0), Some(10.0), None, Some(7.0)]);
    assert_eq!(added[1].1, [None, None, None, None, Some(1.0), None, Some(3.0), None]);
}

#[test]
fn windows_hold_the_last_rows_of_the_key_and_skip_nulls() {
    let config = r#"{"key": ["carrier"], "lags": [], "windows": [2, 3], "statistics": ["mean", "min", "max", "sum"]}"#;
    let added = run(config, rows()).unwrap();
    let names: Vec<_> = added.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[..5], ["delay_mean_2", "delay_min_2", "delay_max_2", "delay_sum_2", "delay_mean_3"]);
    let last_of_ua = |i: usize| added[i].1[6];
    assert_eq!([0, 1, 2, 3].map(last_of_ua), [Some(5.0); 4]);
    assert_eq!([4, 5, 6, 7].map(last_of_ua), [Some(4.0), Some(3.0), Some(5.0), Some(8.0)]);
    assert_eq!(added[0].1, [1.0, 10.0, 2.0, 7.0, 3.0, 15.0, 5.0, 7.5].map(Some));
}

#[test]
fn a_window_may_leave_the_current_row_out() {
    let config = r#"{"lags": [], "windows": [2], "statistics": ["sum"], "current": false}"#;
    let input = flights(&[(None, Some(1.0)), (None, Some(2.0)), (None, Some(4.0)), (None, Some(8.0))]);
    assert_eq!(run(config, input).unwrap()[0].1, [None, Some(1.0), Some(3.0), Some(6.0)]);
}

#[test]
fn batches_may_end_anywhere() {
    let config = r#"{"key": ["carrier"], "lags": [3], "windows": [4], "statistics": ["mean", "max"]}"#;
    let carriers = [Some("a"), Some("b"), None];
    let value = |i: usize| (carriers[i * i % 7 % 3], (!i.is_multiple_of(5)).then(|| (i as f64).sin()));
    let part = |range: std::ops::Range<usize>| flights(&range.map(value).collect::<Vec<_>>());
    let whole = run(config, part(0..200)).unwrap();
    let mut plugin = bind(config, &part(0..0)).unwrap();
    let mut joined = vec![Vec::new(); 3];
    for range in [0..1, 1..1, 1..64, 64..199, 199..200] {
        let output = tiegel_plugin::transform(&mut plugin, part(range)).unwrap();
        for (joined, column) in joined.iter_mut().zip(output.columns().skip(2)) {
            joined.extend(column.options::<f64>().unwrap());
        }
    }
    assert_eq!(joined, whole.into_iter().map(|(_, values)| values).collect::<Vec<_>>());
    assert_eq!(plugin.flush().unwrap(), None);
}

#[test]
fn keys_of_several_columns_do_not_run_together() {
    let input = Batch::builder()
        .utf8("a", [Some("x"), Some("xy"), Some("x")])
        .utf8("b", [Some("yz"), Some("z"), Some("yz")])
        .int32("n", [Some(1), Some(2), Some(3)])
        .build()
        .unwrap();
    let added = run(r#"{"key": ["a", "b"]}"#, input).unwrap();
    assert_eq!(added[0], ("n_lag_1".to_owned(), vec![None, None, Some(1.0)]));
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let refused = |config: &str| bind(config, &rows()).err().unwrap().to_string();
    assert_eq!(refused(r#"{"lags": [0]}"#), "lags and windows are 1 to 10000 rows");
    assert_eq!(refused(r#"{"lags": [2, 2]}"#), "a lag, window or statistic comes twice");
    assert_eq!(refused(r#"{"key": ["x"]}"#), "key names a column that is not read (column 'x')");
    assert_eq!(refused(r#"{"key": ["delay"]}"#), "key cannot hold a column of float64 (column 'delay')");
    assert_eq!(refused(r#"{"columns": ["carrier"]}"#), "columns cannot hold a column of utf8 (column 'carrier')");
    assert_eq!(refused(r#"{"lags": []}"#), "there is neither a lag nor a window");
}

#[test]
fn too_many_keys_for_the_window_are_refused() {
    let many = |n: i64| {
        Batch::builder().int64("id", (0..n).map(Some)).float64("x", (0..n).map(|_| Some(0.0))).build().unwrap()
    };
    let error = run(r#"{"key": ["id"], "lags": [10000]}"#, many(1_000)).unwrap_err();
    assert_eq!(error.to_string(), "more than 419 keys: too many for windows of this length (row 419)");
}
