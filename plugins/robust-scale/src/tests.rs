use tiegel_plugin::{Batch, Estimator, Result};

use crate::RobustScale;

fn fit(config: &str, batches: &[Batch]) -> Result<(RobustScale, Vec<u8>)> {
    let mut plugin: RobustScale = tiegel_plugin::configure(config, batches[0].schema(), None)?;
    batches.iter().try_for_each(|batch| plugin.partial_fit(batch, None))?;
    let state = plugin.finish()?;
    Ok((plugin, state))
}

fn column(values: impl IntoIterator<Item = Option<f64>>) -> Batch {
    Batch::builder().float64("x", values).build().unwrap()
}

fn run(plugin: &mut RobustScale, input: Batch) -> Vec<Option<f32>> {
    let output = tiegel_plugin::transform(plugin, input).unwrap();
    output.column(0).options::<f32>().unwrap().collect()
}

#[test]
fn the_quartiles_land_one_apart_and_an_outlier_changes_little() {
    let values = || (0..=100).map(|i| Some(f64::from(i)));
    let (mut plugin, _) = fit("{}", &[column(values())]).unwrap();
    let output = run(&mut plugin, column([Some(25.0), Some(50.0), Some(75.0), None]));
    assert_eq!(output, [Some(-0.5), Some(0.0), Some(0.5), None]);
    let (mut plugin, _) = fit("{}", &[column(values().chain([Some(1e12)]))]).unwrap();
    let output = run(&mut plugin, column([Some(25.0), Some(75.0)]));
    assert!((output[1].unwrap() - output[0].unwrap() - 1.0).abs() < 0.02, "{output:?}");
}

#[test]
fn other_quantiles_and_no_centre_may_be_asked_for() {
    let values = column((0..=100).map(|i| Some(f64::from(i))));
    let (mut plugin, _) = fit(r#"{"low": 0.1, "high": 0.9, "center": false}"#, &[values]).unwrap();
    assert_eq!(run(&mut plugin, column([Some(40.0)])), [Some(0.5)]);
}

#[test]
fn quartiles_that_coincide_leave_the_scale() {
    let values = column([Some(5.0), Some(5.0), Some(5.0), Some(5.0), Some(9.0)]);
    let (mut plugin, _) = fit("{}", &[values]).unwrap();
    assert_eq!(run(&mut plugin, column([Some(5.0), Some(9.0)])), [Some(0.0), Some(4.0)]);
}

#[test]
fn any_partition_of_many_values_gives_the_same_state_which_loads_to_the_same_bytes() {
    let values =
        |range: std::ops::Range<i32>| column(range.map(|i| (i % 11 != 0).then(|| f64::from(i).sqrt() - 100.0)));
    let (mut fitted, whole) = fit("{}", &[values(0..150_000)]).unwrap();
    let mut merged: RobustScale = tiegel_plugin::configure("{}", values(0..0).schema(), None).unwrap();
    for part in [90_000..150_000, 0..7, 7..90_000] {
        let mut one: RobustScale = tiegel_plugin::configure("{}", values(0..0).schema(), None).unwrap();
        one.partial_fit(&values(part), None).unwrap();
        merged.merge(&one.partial().unwrap()).unwrap();
    }
    assert_eq!(merged.finish().unwrap(), whole);
    let mut loaded: RobustScale = tiegel_plugin::configure("{}", values(0..0).schema(), None).unwrap();
    loaded.load(&whole, 1).unwrap();
    assert_eq!(run(&mut loaded, values(0..99)), run(&mut fitted, values(0..99)));
    assert!(loaded.load(&whole[..whole.len() - 1], 1).is_err());
}

#[test]
fn errors_name_column_and_row() {
    let error = fit("{}", &[column([None, Some(f64::INFINITY)])]).err().unwrap();
    assert_eq!(error.to_string(), "a value is not finite; filter or impute it first (column 'x', row 1)");
    let error = fit("{}", &[column([None])]).err().unwrap();
    assert_eq!(error.to_string(), "the training rows hold no value (column 'x')");
    let error = fit(r#"{"low": 0.9}"#, &[column([Some(1.0)])]).err().unwrap();
    assert_eq!(error.to_string(), "low is less than high, and both are 0 to 1");
}
