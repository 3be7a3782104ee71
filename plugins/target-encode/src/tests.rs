use tiegel_plugin::{Batch, ColumnRef, Estimator, Field, Result};

use crate::TargetEncode;

/// The first column is the category, the second the target.
fn fit(config: &str, batches: &[Batch]) -> Result<(TargetEncode, Vec<u8>)> {
    let mut plugin = configure(config, &batches[0])?;
    batches.iter().try_for_each(|batch| learn(&mut plugin, batch))?;
    let state = plugin.finish()?;
    Ok((plugin, state))
}

fn configure(config: &str, batch: &Batch) -> Result<TargetEncode> {
    let (carriers, target) = split(batch);
    tiegel_plugin::configure(config, carriers.schema(), Some(target.field()))
}

fn learn(plugin: &mut TargetEncode, batch: &Batch) -> Result<()> {
    let (carriers, target) = split(batch);
    plugin.partial_fit(&carriers, Some(target))
}

fn split(batch: &Batch) -> (Batch, ColumnRef<'_>) {
    let carriers = batch.column(0).texts().unwrap();
    (Batch::builder().utf8("carrier", carriers).build().unwrap(), batch.column(1))
}

fn rows(rows: &[(Option<&'static str>, Option<f64>)]) -> Batch {
    Batch::builder()
        .utf8("carrier", rows.iter().map(|(carrier, _)| *carrier))
        .float64("delay", rows.iter().map(|(_, delay)| *delay))
        .build()
        .unwrap()
}

fn run(plugin: &mut TargetEncode, carriers: &[Option<&'static str>]) -> Vec<f32> {
    let input = Batch::builder().utf8("carrier", carriers.iter().copied()).build().unwrap();
    let output = tiegel_plugin::transform(plugin, input).unwrap();
    output.column(0).values::<f32>().unwrap().into_owned()
}

fn training() -> Batch {
    rows(&[
        (Some("UA"), Some(10.0)),
        (Some("UA"), Some(20.0)),
        (Some("AA"), Some(0.0)),
        (None, Some(30.0)),
        (Some("AA"), None),
    ])
}

#[test]
fn a_category_becomes_the_smoothed_mean_of_its_targets() {
    // The prior is 15.
    let (mut plugin, _) = fit(r#"{"smoothing": 2}"#, &[training()]).unwrap();
    let output = run(&mut plugin, &[Some("UA"), Some("AA"), Some("B6"), None]);
    assert_eq!(output, [15.0, 10.0, 15.0, 15.0]);
    let (mut plugin, _) = fit(r#"{"smoothing": 0, "nulls": "category"}"#, &[training()]).unwrap();
    let output = run(&mut plugin, &[Some("UA"), Some("AA"), Some("B6"), None]);
    assert_eq!(output, [15.0, 0.0, 15.0, 30.0]);
}

#[test]
fn a_boolean_target_gives_shares() {
    let batch = Batch::builder()
        .utf8("carrier", [Some("a"), Some("a"), Some("b"), Some("b")])
        .boolean("late", [Some(true), Some(false), Some(true), Some(true)])
        .build()
        .unwrap();
    let (mut plugin, _) = fit(r#"{"smoothing": 0}"#, &[batch]).unwrap();
    assert_eq!(run(&mut plugin, &[Some("a"), Some("b"), Some("c")]), [0.5, 1.0, 0.75]);
}

#[test]
fn partials_merge_to_the_whole_and_the_state_loads_without_a_target() {
    let part = |from: usize, to: usize| {
        let carriers = ["a", "b", "c", "d", "e"];
        rows(&(from..to).map(|i| (Some(carriers[i * i % 13 % 5]), Some((i % 31) as f64))).collect::<Vec<_>>())
    };
    let (mut fitted, whole) = fit("{}", &[part(0, 400)]).unwrap();
    let mut merged = configure("{}", &part(0, 1)).unwrap();
    for (from, to) in [(0, 150), (150, 151), (151, 400)] {
        let mut one = configure("{}", &part(0, 1)).unwrap();
        learn(&mut one, &part(from, to)).unwrap();
        merged.merge(&one.partial().unwrap()).unwrap();
    }
    // Sums of whole numbers are exact.
    assert_eq!(merged.finish().unwrap(), whole);
    let one = part(0, 1);
    let mut loaded: TargetEncode = tiegel_plugin::configure("{}", split(&one).0.schema(), None).unwrap();
    loaded.load(&whole, 1).unwrap();
    let asked = [Some("a"), Some("e"), Some("z"), None];
    assert_eq!(run(&mut loaded, &asked), run(&mut fitted, &asked));
    assert!(loaded.load(&whole[..whole.len() - 1], 1).is_err());
}

#[test]
fn a_missing_or_unfit_target_is_refused() {
    let (batch, none) = (training(), rows(&[(Some("a"), None)]));
    let mut plugin = configure("{}", &batch).unwrap();
    let error = plugin.partial_fit(&split(&batch).0, None).unwrap_err();
    assert_eq!(error.to_string(), "target-encode learns from a target: the step must name one");
    let error = fit("{}", &[none]).err().unwrap();
    assert_eq!(error.to_string(), "the target is null in all training rows");
    let error = fit("{}", &[rows(&[(Some("a"), Some(1.0)), (Some("a"), Some(f64::NAN))])]).err().unwrap();
    assert_eq!(error.to_string(), "the target is not finite (column 'delay', row 1)");
    let text = Field::new("name", tiegel_plugin::DType::Utf8);
    let error = tiegel_plugin::configure::<TargetEncode>("{}", &Default::default(), Some(&text)).err().unwrap();
    assert_eq!(error.to_string(), "target-encode learns a target of numbers or booleans, not utf8 (column 'name')");
}
