use tiegel_plugin::{Batch, Estimator, Result, Transform};

use crate::Ordinal;

fn fit(config: &str, batches: &[Batch]) -> Result<(Ordinal, Vec<u8>)> {
    let mut plugin: Ordinal = tiegel_plugin::configure(config, batches[0].schema(), None)?;
    batches.iter().try_for_each(|batch| plugin.partial_fit(batch, None))?;
    let state = plugin.finish()?;
    Ok((plugin, state))
}

fn sizes(values: &[Option<&'static str>]) -> Batch {
    Batch::builder().utf8("size", values.iter().copied()).build().unwrap()
}

fn run(plugin: &mut Ordinal, input: Batch) -> Result<Vec<Option<i32>>> {
    let output = tiegel_plugin::transform(plugin, input)?;
    Ok(output.column(0).options::<i32>()?.collect())
}

const SEEN: [Option<&str>; 5] = [Some("m"), Some("xl"), Some("l"), Some("xl"), None];

#[test]
fn values_are_numbered_in_their_order_or_by_frequency() {
    let asked = || sizes(&[Some("l"), Some("m"), Some("xl"), Some("s"), None]);
    let (mut plugin, _) = fit("{}", &[sizes(&SEEN)]).unwrap();
    assert_eq!(run(&mut plugin, asked()).unwrap(), [Some(0), Some(1), Some(2), Some(3), None]);
    let (mut plugin, _) = fit(r#"{"order": "frequency", "nulls": "number"}"#, &[sizes(&SEEN)]).unwrap();
    assert_eq!(run(&mut plugin, asked()).unwrap(), [Some(1), Some(2), Some(0), Some(3), Some(4)]);
    assert!(!plugin.output().unwrap().fields[0].nullable);
}

#[test]
fn unknown_values_may_be_null_or_refused_by_row() {
    let (mut plugin, _) = fit(r#"{"unknown": "null", "nulls": "number"}"#, &[sizes(&SEEN)]).unwrap();
    assert_eq!(run(&mut plugin, sizes(&[Some("s"), None])).unwrap(), [None, Some(3)]);
    let (mut plugin, _) = fit(r#"{"unknown": "error", "nulls": "error"}"#, &[sizes(&SEEN)]).unwrap();
    let error = run(&mut plugin, sizes(&[Some("m"), Some("s")])).unwrap_err();
    assert_eq!(error.to_string(), "the training rows did not hold this value (column 'size', row 1)");
    let error = run(&mut plugin, sizes(&[None])).unwrap_err();
    assert_eq!(error.to_string(), "the value is null (column 'size', row 0)");
}

#[test]
fn integers_are_numbered_by_size() {
    let input = || Batch::builder().int64("n", [Some(5), Some(-5), Some(0)]).build().unwrap();
    let (mut plugin, _) = fit("{}", &[input()]).unwrap();
    assert_eq!(run(&mut plugin, input()).unwrap(), [Some(2), Some(0), Some(1)]);
}

#[test]
fn any_partition_gives_the_same_state_which_loads_to_the_same_bytes() {
    let values: Vec<_> = (0..300).map(|i| Some(["x", "y", "z", "w"][i * i % 7 % 4])).collect();
    let config = r#"{"order": "frequency", "max_categories": 3}"#;
    let (mut fitted, whole) = fit(config, &[sizes(&values)]).unwrap();
    let mut merged: Ordinal = tiegel_plugin::configure(config, sizes(&[]).schema(), None).unwrap();
    for part in [&values[123..], &values[..123]] {
        let mut one: Ordinal = tiegel_plugin::configure(config, sizes(&[]).schema(), None).unwrap();
        one.partial_fit(&sizes(part), None).unwrap();
        merged.merge(&one.partial().unwrap()).unwrap();
    }
    assert_eq!(merged.finish().unwrap(), whole);
    let mut loaded: Ordinal = tiegel_plugin::configure(config, sizes(&[]).schema(), None).unwrap();
    loaded.load(&whole, 1).unwrap();
    assert_eq!(run(&mut loaded, sizes(&values)).unwrap(), run(&mut fitted, sizes(&values)).unwrap());
    assert!(loaded.load(&whole[..whole.len() - 1], 1).is_err());
}

#[test]
fn a_column_without_values_or_of_another_type_is_refused_by_name() {
    let error = fit("{}", &[sizes(&[None])]).err().unwrap();
    assert_eq!(error.to_string(), "no value occurs 1 times or more in the training rows (column 'size')");
    let floats = Batch::builder().float64("x", [Some(1.0)]).build().unwrap();
    let error = fit("{}", &[floats]).err().unwrap();
    assert_eq!(error.to_string(), "ordinal reads texts, integers and booleans, not float64 (column 'x')");
}
