use tiegel_plugin::{Batch, Estimator, Result, Transform};

use crate::OneHot;

fn fit(config: &str, batches: &[Batch]) -> Result<(OneHot, Vec<u8>)> {
    let mut plugin: OneHot = tiegel_plugin::configure(config, batches[0].schema(), None)?;
    batches.iter().try_for_each(|batch| plugin.partial_fit(batch, None))?;
    let state = plugin.finish()?;
    Ok((plugin, state))
}

fn carriers(values: &[Option<&'static str>]) -> Batch {
    Batch::builder().utf8("carrier", values.iter().copied()).build().unwrap()
}

fn block(plugin: &mut OneHot, input: Batch) -> (u32, Vec<f32>) {
    let output = tiegel_plugin::transform(plugin, input).unwrap();
    (output.schema().fields[0].width, output.column(0).values::<f32>().unwrap().into_owned())
}

#[test]
fn slots_stand_in_the_order_of_the_values() {
    let train = carriers(&[Some("UA"), Some("AA"), Some("UA"), None]);
    let (mut plugin, _) = fit("{}", &[train]).unwrap();
    let (width, values) = block(&mut plugin, carriers(&[Some("AA"), Some("UA"), Some("??"), None]));
    assert_eq!(width, 2);
    assert_eq!(values, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn unknown_values_and_nulls_may_have_slots_of_their_own() {
    let config = r#"{"unknown": "column", "nulls": "column"}"#;
    let (mut plugin, _) = fit(config, &[carriers(&[Some("a")])]).unwrap();
    let (width, values) = block(&mut plugin, carriers(&[Some("a"), Some("b"), None]));
    assert_eq!(width, 3);
    assert_eq!(values, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn the_most_frequent_values_are_kept_and_of_equals_the_smaller() {
    let train = || carriers(&[Some("d"), Some("c"), Some("c"), Some("b"), Some("a"), Some("b")]);
    let (mut plugin, _) = fit(r#"{"max_categories": 3}"#, &[train()]).unwrap();
    let (width, values) = block(&mut plugin, carriers(&[Some("a"), Some("d")]));
    assert_eq!((width, values), (3, vec![1.0, 0.0, 0.0, 0.0, 0.0, 0.0]));
    let (plugin, _) = fit(r#"{"min_count": 2}"#, &[train()]).unwrap();
    assert_eq!(plugin.output().unwrap().fields[0].width, 2);
}

#[test]
fn negative_integers_come_before_positive_ones() {
    let input = || {
        Batch::builder()
            .int32("n", [Some(3), Some(-3), Some(0)])
            .boolean("b", [Some(true), Some(false), None])
            .build()
            .unwrap()
    };
    let (mut plugin, _) = fit("{}", &[input()]).unwrap();
    let output = tiegel_plugin::transform(&mut plugin, input()).unwrap();
    assert_eq!(&*output.column(0).values::<f32>().unwrap(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(&*output.column(1).values::<f32>().unwrap(), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn any_partition_of_the_rows_gives_the_same_state_bytes() {
    let values: Vec<_> = (0..300).map(|i| Some(["x", "y", "z", "w"][i * i % 7 % 4])).collect();
    let (_, whole) = fit("{}", &[carriers(&values)]).unwrap();
    for cut in [1, 100, 299] {
        let mut merged: OneHot = tiegel_plugin::configure("{}", carriers(&[]).schema(), None).unwrap();
        for part in [&values[cut..], &values[..cut]] {
            let mut one: OneHot = tiegel_plugin::configure("{}", carriers(&[]).schema(), None).unwrap();
            one.partial_fit(&carriers(part), None).unwrap();
            merged.merge(&one.partial().unwrap()).unwrap();
        }
        assert_eq!(merged.finish().unwrap(), whole, "{cut}");
    }
}

#[test]
fn a_loaded_state_transforms_to_the_same_bytes() {
    let input = || carriers(&[Some("b"), Some("a"), None]);
    let (mut fitted, state) = fit("{}", &[input()]).unwrap();
    let mut loaded: OneHot = tiegel_plugin::configure("{}", input().schema(), None).unwrap();
    assert!(loaded.output().is_none());
    loaded.load(&state, 1).unwrap();
    assert_eq!(block(&mut fitted, input()), block(&mut loaded, input()));
    assert!(loaded.load(&state[..state.len() - 1], 1).is_err());
}

#[test]
fn errors_name_the_column() {
    let floats = Batch::builder().float64("x", [Some(1.0)]).build().unwrap();
    assert_eq!(
        fit("{}", &[floats]).err().unwrap().to_string(),
        "one-hot reads texts, integers and booleans, not float64 (column 'x')"
    );
    assert_eq!(
        fit("{}", &[carriers(&[None])]).err().unwrap().to_string(),
        "no value occurs 1 times or more in the training rows (column 'carrier')"
    );
}
