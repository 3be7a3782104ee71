use tiegel_plugin::{Batch, Estimator, Result};

use crate::Standardize;

fn fit(config: &str, batches: &[Batch]) -> Result<(Standardize, Vec<u8>)> {
    let mut plugin: Standardize = tiegel_plugin::configure(config, batches[0].schema(), None)?;
    batches.iter().try_for_each(|batch| plugin.partial_fit(batch, None))?;
    let state = plugin.finish()?;
    Ok((plugin, state))
}

fn floats(batch: &Batch, column: usize) -> Vec<Option<f32>> {
    batch.column(column).options::<f32>().unwrap().collect()
}

#[test]
fn the_training_rows_get_mean_zero_and_variance_one() {
    let input = Batch::builder()
        .float32("a", (0..1_000).map(|i| Some(i as f32)))
        .int64("b", (0..1_000).map(|i| Some(i * 1_000_003)))
        .float64("c", (0..1_000).map(|i| Some(f64::from(i).sqrt())))
        .build()
        .unwrap();
    let (mut plugin, _) = fit("{}", std::slice::from_ref(&input)).unwrap();
    let output = tiegel_plugin::transform(&mut plugin, input).unwrap();
    for column in 0..3 {
        let values: Vec<f64> = floats(&output, column).into_iter().flatten().map(f64::from).collect();
        let mean = values.iter().sum::<f64>() / 1_000.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1_000.0;
        assert!(mean.abs() < 1e-6, "column {column}: mean {mean}");
        assert!((variance - 1.0).abs() < 1e-5, "column {column}: variance {variance}");
    }
}

#[test]
fn constant_columns_become_zero() {
    let input = Batch::builder().float64("x", [Some(0.1); 7]).float32("y", [Some(0.0); 7]).build().unwrap();
    let (mut plugin, _) = fit("{}", std::slice::from_ref(&input)).unwrap();
    let output = tiegel_plugin::transform(&mut plugin, input).unwrap();
    assert_eq!(floats(&output, 0), [Some(0.0); 7]);
    assert_eq!(floats(&output, 1), [Some(0.0); 7]);
}

#[test]
fn nulls_teach_nothing_and_stay_null_or_become_the_mean() {
    let input = || Batch::builder().float32("x", [Some(1.0), None, Some(3.0)]).build().unwrap();
    let (mut keep, _) = fit("{}", &[input()]).unwrap();
    assert_eq!(floats(&tiegel_plugin::transform(&mut keep, input()).unwrap(), 0), [Some(-1.0), None, Some(1.0)]);
    let (mut mean, _) = fit(r#"{"nulls": "mean"}"#, &[input()]).unwrap();
    let output = tiegel_plugin::transform(&mut mean, input()).unwrap();
    assert_eq!(floats(&output, 0), [Some(-1.0), Some(0.0), Some(1.0)]);
    assert!(!output.schema().fields[0].nullable);
}

#[test]
fn a_loaded_state_transforms_to_the_same_bytes() {
    let input = || Batch::builder().int32("x", (0..99).map(|i| (i % 7 != 0).then_some(i))).build().unwrap();
    let (mut fitted, state) = fit("{}", &[input()]).unwrap();
    let mut loaded: Standardize = tiegel_plugin::configure("{}", input().schema(), None).unwrap();
    loaded.load(&state, 1).unwrap();
    assert_eq!(
        tiegel_plugin::transform(&mut fitted, input()).unwrap(),
        tiegel_plugin::transform(&mut loaded, input()).unwrap()
    );
}

#[test]
fn merged_partials_agree_with_one_pass_within_rounding() {
    let part = |from: i32, to: i32| {
        Batch::builder().float64("x", (from..to).map(|i| Some(f64::from(i).sin()))).build().unwrap()
    };
    let (_, whole) = fit("{}", &[part(0, 5_000)]).unwrap();
    let mut merged: Standardize = tiegel_plugin::configure("{}", part(0, 1).schema(), None).unwrap();
    for (from, to) in [(0, 7), (7, 3_000), (3_000, 5_000)] {
        let mut one: Standardize = tiegel_plugin::configure("{}", part(0, 1).schema(), None).unwrap();
        one.partial_fit(&part(from, to), None).unwrap();
        merged.merge(&one.partial().unwrap()).unwrap();
    }
    let (a, b) = (merged.scaling_of(&whole), merged.finish().map(|state| merged.scaling_of(&state)).unwrap());
    assert!((a.center - b.center).abs() < 1e-12);
    assert!((a.scale - b.scale).abs() < 1e-12);
}

#[test]
fn errors_name_column_and_row() {
    let input = Batch::builder().float32("x", [Some(1.0), Some(f32::INFINITY)]).build().unwrap();
    let error = fit("{}", &[input]).err().unwrap();
    assert_eq!(error.to_string(), "a value is not finite; filter or impute it first (column 'x', row 1)");
    let text = Batch::builder().utf8("s", [Some("a")]).build().unwrap();
    let error = fit("{}", &[text]).err().unwrap();
    assert_eq!(error.to_string(), "standardize reads single integers and floats, not utf8 (column 's')");
    let empty = Batch::builder().float32("x", [None]).build().unwrap();
    assert_eq!(fit("{}", &[empty]).err().unwrap().to_string(), "the training rows hold no value (column 'x')");
    let error = tiegel_plugin::configure::<Standardize>(r#"{"null": 1}"#, &Default::default(), None).err().unwrap();
    assert!(error.message.contains("unknown field `null`"), "{error}");
}

impl Standardize {
    fn scaling_of(&self, state: &[u8]) -> tiegel_plugin::Scaling {
        crate::moments::decode(state, 1).unwrap()[0].scaling("x").unwrap()
    }
}
