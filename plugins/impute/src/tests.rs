use tiegel_plugin::{Batch, Estimator, Result};

use crate::Impute;

fn fit(config: &str, batches: &[Batch]) -> Result<(Impute, Vec<u8>)> {
    let mut plugin: Impute = tiegel_plugin::configure(config, batches[0].schema(), None)?;
    batches.iter().try_for_each(|batch| plugin.partial_fit(batch, None))?;
    let state = plugin.finish()?;
    Ok((plugin, state))
}

/// Fits on the batch and fills it.
fn fill(config: &str, input: Batch) -> Result<Batch> {
    let (mut plugin, _) = fit(config, std::slice::from_ref(&input))?;
    tiegel_plugin::transform(&mut plugin, input)
}

#[test]
fn a_mean_fills_floats_and_is_rounded_for_whole_numbers() {
    let input = Batch::builder()
        .float64("x", [Some(1.0), None, Some(2.0)])
        .int32("n", [Some(1), None, Some(2)])
        .timestamp_us("t", [Some(10), None, Some(20)])
        .build()
        .unwrap();
    let output = fill("{}", input).unwrap();
    assert_eq!(&*output.column(0).values::<f64>().unwrap(), [1.0, 1.5, 2.0]);
    assert_eq!(&*output.column(1).values::<i32>().unwrap(), [1, 2, 2]);
    assert_eq!(&*output.column(2).values::<i64>().unwrap(), [10, 15, 20]);
    assert!(output.schema().fields.iter().all(|f| !f.nullable));
    assert!(output.columns().all(|c| c.validity().is_none()));
}

#[test]
fn a_median_ignores_outliers() {
    let input = Batch::builder().float32("x", [Some(1.0), Some(1e9), None, Some(2.0)]).build().unwrap();
    let output = fill(r#"{"strategy": "median"}"#, input).unwrap();
    assert_eq!(&*output.column(0).values::<f32>().unwrap(), [1.0, 1e9, 2.0, 2.0]);
}

#[test]
fn a_mode_fills_every_type_and_of_equals_takes_the_smallest() {
    let input = Batch::builder()
        .utf8("s", [Some("b"), None, Some("a"), Some("bb")])
        .boolean("b", [Some(true), None, Some(true), Some(false)])
        .int64("n", [Some(-5), None, Some(7), Some(7)])
        .float64("x", [Some(-1.5), None, Some(2.5), Some(0.0)])
        .build()
        .unwrap();
    let output = fill(r#"{"strategy": "mode"}"#, input).unwrap();
    assert_eq!(output.column(0).texts().unwrap().nth(1).unwrap(), Some("a"));
    assert_eq!(output.column(1).booleans().unwrap().nth(1).unwrap(), Some(true));
    assert_eq!(output.column(2).values::<i64>().unwrap()[1], 7);
    assert_eq!(output.column(3).values::<f64>().unwrap()[1], -1.5);
}

#[test]
fn a_constant_must_fit_the_column() {
    let input = || Batch::builder().uint8("n", [None, Some(3)]).build().unwrap();
    let output = fill(r#"{"strategy": "constant", "value": 7}"#, input()).unwrap();
    assert_eq!(&*output.column(0).values::<u8>().unwrap(), [7, 3]);
    let error = fill(r#"{"strategy": "constant", "value": 300}"#, input()).unwrap_err();
    assert_eq!(error.to_string(), "300 does not fit a column of type uint8 (column 'n')");
    let error = fill(r#"{"strategy": "constant", "value": "x"}"#, input()).unwrap_err();
    assert_eq!(error.to_string(), "this constant cannot fill a column of type uint8 and width 1 (column 'n')");
    let error = fill(r#"{"strategy": "constant"}"#, input()).unwrap_err();
    assert_eq!(error.to_string(), "value and strategy `constant` go together");
}

#[test]
fn any_partition_gives_the_same_median_and_mode_state() {
    let batch = |from: i64, to: i64| {
        Batch::builder().int64("n", (from..to).map(|i| (i % 5 != 0).then_some(i * i % 97))).build().unwrap()
    };
    for config in [r#"{"strategy": "median"}"#, r#"{"strategy": "mode"}"#] {
        let (_, whole) = fit(config, &[batch(0, 1_000)]).unwrap();
        let mut merged: Impute = tiegel_plugin::configure(config, batch(0, 0).schema(), None).unwrap();
        for (from, to) in [(700, 1_000), (0, 1), (1, 700)] {
            let mut one: Impute = tiegel_plugin::configure(config, batch(0, 0).schema(), None).unwrap();
            one.partial_fit(&batch(from, to), None).unwrap();
            merged.merge(&one.partial().unwrap()).unwrap();
        }
        assert_eq!(merged.finish().unwrap(), whole, "{config}");
    }
}

#[test]
fn a_loaded_state_fills_the_same_bytes() {
    let input = || Batch::builder().utf8("s", [Some("x"), None]).build().unwrap();
    let config = r#"{"strategy": "mode"}"#;
    let (mut fitted, state) = fit(config, &[input()]).unwrap();
    let mut loaded: Impute = tiegel_plugin::configure(config, input().schema(), None).unwrap();
    loaded.load(&state, 1).unwrap();
    let filled = |plugin: &mut Impute| tiegel_plugin::transform(plugin, input()).unwrap();
    assert_eq!(filled(&mut fitted), filled(&mut loaded));
    assert!(loaded.load(b"\x01\x04\0\0\0\xff\xff\xff\xff", 1).is_err());
}

#[test]
fn a_column_without_values_is_an_error_that_names_it() {
    let input = Batch::builder().float64("x", [None, None]).build().unwrap();
    assert_eq!(
        fill("{}", input).unwrap_err().to_string(),
        "the training rows hold no value to learn from (column 'x')"
    );
}
