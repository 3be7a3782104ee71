use tiegel_plugin::{Batch, Estimator, Result, Transform};

use crate::TfIdf;

fn fit(config: &str, batches: &[Batch]) -> Result<(TfIdf, Vec<u8>)> {
    let mut plugin: TfIdf = tiegel_plugin::configure(config, batches[0].schema(), None)?;
    batches.iter().try_for_each(|batch| plugin.partial_fit(batch, None))?;
    let state = plugin.finish()?;
    Ok((plugin, state))
}

fn texts(values: &[Option<&str>]) -> Batch {
    Batch::builder().utf8("text", values.iter().copied()).build().unwrap()
}

fn run(plugin: &mut TfIdf, values: &[Option<&str>]) -> Vec<Vec<f32>> {
    let output = tiegel_plugin::transform(plugin, texts(values)).unwrap();
    let lists = output.column(0).lists::<f32>().unwrap();
    lists.iter().map(|row| row.unwrap().to_vec()).collect()
}

const TRAINING: [Option<&str>; 4] = [Some("Red wine, red car"), Some("a WINE"), Some("blue wine"), None];

#[test]
fn slots_hold_the_definition() {
    // Of three texts: blue 1, car 1, red 1, wine 3; `a` is too short.
    let (mut plugin, _) = fit("{}", &[texts(&TRAINING)]).unwrap();
    let rows = run(&mut plugin, &[TRAINING[0], Some("green"), None]);
    let (rare, common) = ((4.0f64 / 2.0).ln() + 1.0, 1.0);
    let length = (rare * rare + 4.0 * rare * rare + common * common).sqrt();
    let expected = [0.0, rare / length, 2.0 * rare / length, common / length];
    assert_eq!(rows[0], expected.map(|x| x as f32));
    assert_eq!(rows[1], [0.0; 4]);
    assert_eq!(rows[2], [0.0; 4]);
}

#[test]
fn the_vocabulary_keeps_common_words_but_not_too_common_ones() {
    let (plugin, _) = fit(r#"{"max_words": 2}"#, &[texts(&TRAINING)]).unwrap();
    assert_eq!(plugin.output().unwrap().fields[0].width, 2);
    let (mut plugin, _) = fit(r#"{"max_words": 2, "max_share": 0.5, "min_chars": 1}"#, &[texts(&TRAINING)]).unwrap();
    // `a` and `blue` are the smaller of those that one text holds.
    assert_eq!(run(&mut plugin, &[Some("a"), Some("blue blue")]), [[1.0, 0.0], [0.0, 1.0]]);
}

#[test]
fn repeated_words_may_count_less() {
    let (mut plugin, _) = fit(r#"{"sublinear": true}"#, &[texts(&[Some("xx yy")])]).unwrap();
    let row = &run(&mut plugin, &[Some("xx xx xx yy")])[0];
    let frequency = 1.0 + 3f64.ln();
    assert!((f64::from(row[0] / row[1]) - frequency).abs() < 1e-6);
}

#[test]
fn any_partition_gives_the_same_state_which_loads_to_the_same_bytes() {
    let words = ["rot", "grün", "blau", "gelb"];
    let lines: Vec<String> =
        (0..300usize).map(|i| format!("{} {} x{}", words[i % 4], words[i * i % 3], i % 17)).collect();
    let part = |range: std::ops::Range<usize>| lines[range].iter().map(|line| Some(line.as_str())).collect::<Vec<_>>();
    let (mut fitted, whole) = fit("{}", &[texts(&part(0..300))]).unwrap();
    let mut merged: TfIdf = tiegel_plugin::configure("{}", texts(&[]).schema(), None).unwrap();
    for range in [200..300, 0..1, 1..200] {
        let mut one: TfIdf = tiegel_plugin::configure("{}", texts(&[]).schema(), None).unwrap();
        one.partial_fit(&texts(&part(range)), None).unwrap();
        merged.merge(&one.partial().unwrap()).unwrap();
    }
    assert_eq!(merged.finish().unwrap(), whole);
    let mut loaded: TfIdf = tiegel_plugin::configure("{}", texts(&[]).schema(), None).unwrap();
    assert!(loaded.output().is_none());
    loaded.load(&whole, 1).unwrap();
    assert_eq!(run(&mut loaded, &part(0..50)), run(&mut fitted, &part(0..50)));
    assert!(loaded.load(&whole[..whole.len() - 1], 1).is_err());
}

#[test]
fn errors_name_the_column() {
    let error = fit("{}", &[texts(&[Some("a ?")])]).err().unwrap();
    assert_eq!(error.to_string(), "the training rows hold no word that min_texts and max_share keep (column 'text')");
    let floats = Batch::builder().float64("x", [Some(1.0)]).build().unwrap();
    assert_eq!(fit("{}", &[floats]).err().unwrap().to_string(), "tf-idf reads texts, not float64 (column 'x')");
}
