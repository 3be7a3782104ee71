use tiegel_plugin::{Batch, Estimator, Result};

use crate::MinMax;

fn fit(config: &str, batches: &[Batch]) -> Result<(MinMax, Vec<u8>)> {
    let mut plugin: MinMax = tiegel_plugin::configure(config, batches[0].schema(), None)?;
    batches.iter().try_for_each(|batch| plugin.partial_fit(batch, None))?;
    let state = plugin.finish()?;
    Ok((plugin, state))
}

fn run(plugin: &mut MinMax, input: Batch) -> Vec<Option<f32>> {
    let output = tiegel_plugin::transform(plugin, input).unwrap();
    output.column(0).options::<f32>().unwrap().collect()
}

fn doubles(values: impl IntoIterator<Item = Option<f64>>) -> Batch {
    Batch::builder().float64("x", values).build().unwrap()
}

fn singles(values: impl IntoIterator<Item = Option<f32>>) -> Batch {
    Batch::builder().float32("x", values).build().unwrap()
}

#[test]
fn the_ends_of_the_training_rows_become_min_and_max() {
    let (mut plugin, _) = fit("{}", &[doubles([Some(10.0), None, Some(30.0)])]).unwrap();
    let output = run(&mut plugin, doubles([Some(10.0), Some(20.0), Some(30.0), None, Some(50.0)]));
    assert_eq!(output, [Some(0.0), Some(0.5), Some(1.0), None, Some(2.0)]);
    let config = r#"{"min": -1.0, "max": 1.0}"#;
    let (mut plugin, _) = fit(config, &[singles([Some(10.0), Some(30.0)])]).unwrap();
    assert_eq!(run(&mut plugin, singles([Some(10.0), Some(20.0), Some(30.0)])), [Some(-1.0), Some(0.0), Some(1.0)]);
}

#[test]
fn clip_keeps_values_within_and_nulls_as_they_are() {
    let config = r#"{"min": 2.0, "max": 3.0, "clip": true}"#;
    let (mut plugin, _) = fit(config, &[singles([Some(0.0), Some(1.0)])]).unwrap();
    let input = singles([Some(-9.0), None, Some(0.5), Some(9.0)]);
    let output = tiegel_plugin::transform(&mut plugin, input).unwrap();
    assert_eq!(&*output.column(0).values::<f32>().unwrap(), [2.0, 0.0, 2.5, 3.0]);
    assert!(output.column(0).is_null(1));
}

#[test]
fn a_constant_column_becomes_min() {
    let (mut plugin, _) = fit(r#"{"min": 0.25}"#, &[doubles([Some(7.0); 3])]).unwrap();
    assert_eq!(run(&mut plugin, doubles([Some(7.0), Some(8.0)])), [Some(0.25), Some(0.25)]);
}

#[test]
fn any_partition_gives_the_same_state_which_loads_to_the_same_bytes() {
    let values =
        |range: std::ops::Range<i32>| doubles(range.map(|i| (i % 7 != 0).then(|| f64::from(i * i % 101) - 50.0)));
    let (mut fitted, whole) = fit("{}", &[values(0..500)]).unwrap();
    for cut in [0, 1, 250, 500] {
        let mut merged: MinMax = tiegel_plugin::configure("{}", values(0..0).schema(), None).unwrap();
        for part in [cut..500, 0..cut] {
            let mut one: MinMax = tiegel_plugin::configure("{}", values(0..0).schema(), None).unwrap();
            one.partial_fit(&values(part), None).unwrap();
            merged.merge(&one.partial().unwrap()).unwrap();
        }
        assert_eq!(merged.finish().unwrap(), whole, "{cut}");
    }
    let mut loaded: MinMax = tiegel_plugin::configure("{}", values(0..0).schema(), None).unwrap();
    loaded.load(&whole, 1).unwrap();
    assert_eq!(run(&mut loaded, values(0..99)), run(&mut fitted, values(0..99)));
    for cut in 0..whole.len() {
        assert!(loaded.load(&whole[..cut], 1).is_err(), "{cut}");
    }
}

#[test]
fn errors_name_column_and_row() {
    let error = fit("{}", &[singles([Some(1.0), Some(f32::NAN)])]).err().unwrap();
    assert_eq!(error.to_string(), "a value is not finite; filter or impute it first (column 'x', row 1)");
    let error = fit("{}", &[singles([None])]).err().unwrap();
    assert_eq!(error.to_string(), "the training rows hold no value (column 'x')");
    let text = Batch::builder().utf8("s", [Some("a")]).build().unwrap();
    let error = fit("{}", &[text]).err().unwrap();
    assert_eq!(error.to_string(), "min-max reads single integers and floats, not utf8 (column 's')");
    let error = fit(r#"{"min": 1.0}"#, &[singles([Some(1.0)])]).err().unwrap();
    assert_eq!(error.to_string(), "min is less than max, and both are finite");
}
