use tiegel_types::Task;

use super::data::{MemoryData, Request, booleans, circle, cities, doubles, floats, plane, random, table, texts};
use super::train;
use crate::tests::prediction::predict;

fn circles() -> MemoryData {
    MemoryData { train: circle(1, 4_000), validation: Some(circle(11, 1_000)) }
}

#[test]
fn a_perceptron_learns_what_no_line_separates() {
    let (model, recorder) = train(&Request::mlp(Task::Binary), &circles());
    assert!(model.validation["auc"] > 0.99, "{:?}", model.validation);
    assert!(recorder.reports.last().unwrap().train_loss < recorder.reports[0].train_loss / 2.0);
    assert_eq!(model.parameters, 2 * 16 + 16 + 16 * 8 + 8 + 8 + 1);

    let (line, _) = train(&Request::linear(Task::Binary), &circles());
    assert!(line.validation["auc"] < 0.7, "{:?}", line.validation);
}

#[test]
fn logistic_regression_separates_by_a_line() {
    let split = |seed| {
        let (a, b) = (random(seed, 2_000), random(seed + 1, 2_000));
        let y = a.iter().zip(&b).map(|(a, b)| 2.0 * a - b > 0.3).collect();
        table(vec![("a", floats(a)), ("b", floats(b)), ("y", booleans(y))])
    };
    let (model, _) = train(&Request::linear(Task::Binary), &MemoryData { train: split(1), validation: Some(split(7)) });
    assert!(model.validation["auc"] > 0.99, "{:?}", model.validation);
    assert!(model.validation["accuracy"] > 0.97, "{:?}", model.validation);
}

#[test]
fn linear_regression_recovers_the_coefficients() {
    let mut request = Request::linear(Task::Regression);
    request.train.epochs_max = 30;
    let (model, recorder) = train(&request, &MemoryData { train: plane(1, 4_000), validation: None });
    let at = |a: f32, b: f32| {
        let row = table(vec![("a", floats(vec![a])), ("b", floats(vec![b]))]);
        predict(&model.artifact, &row)[0]
    };
    assert!((at(0.0, 0.0) - 3.0).abs() < 1e-3, "{}", at(0.0, 0.0));
    assert!((at(1.0, 0.0) - at(0.0, 0.0) - 2.0).abs() < 1e-3);
    assert!((at(0.0, 1.0) - at(0.0, 0.0) + 0.5).abs() < 1e-3);
    assert_eq!(model.best_epoch, 30, "without a validation split the last epoch is kept");
    assert!(model.validation.is_empty() && recorder.reports.iter().all(|report| report.validation.is_empty()));
}

#[test]
fn the_loss_of_a_regression_is_in_the_targets_unit() {
    let (model, recorder) = train(
        &Request::linear(Task::Regression),
        &MemoryData { train: plane(1, 2_000), validation: Some(plane(5, 500)) },
    );
    let squared = model.validation["rmse"] * model.validation["rmse"];
    assert!((model.validation["loss"] - squared).abs() < 1e-6 * (1.0 + squared));
    // The mean alone would leave the target's variance of about 5.7.
    assert!(recorder.reports[0].train_loss > 0.01 && recorder.reports[0].train_loss < 5.7);
}

#[test]
fn embeddings_learn_what_each_value_means_and_take_unknown_values() {
    let names = ["Aachen", "Bonn", "Celle"];
    let data = MemoryData { train: cities(1, 3_000, &names), validation: Some(cities(2, 500, &names)) };
    let mut request = Request::mlp(Task::Regression).embed("city", 3);
    request.train.epochs_max = 20;
    let (model, _) = train(&request, &data);
    assert!(model.validation["r2"] > 0.99, "{:?}", model.validation);

    let ask = |city: Option<&str>| {
        predict(&model.artifact, &table(vec![("a", floats(vec![0.0])), ("city", texts(vec![city]))]))[0]
    };
    for (index, name) in names.iter().enumerate() {
        assert!((ask(Some(name)) - 100.0 * index as f64).abs() < 20.0, "{name} {}", ask(Some(name)));
    }
    assert!((ask(None) - 300.0).abs() < 20.0, "a null is a value of its own: {}", ask(None));
    assert_eq!(ask(Some("Zwickau")), ask(None), "a value that training did not see counts as null");
    assert_eq!(model.artifact.config["vocabularies"]["city"]["values"], serde_json::json!(names));
}

#[test]
fn integer_columns_embed_too() {
    let days: Vec<u64> = (0..2_000).map(|row| if row % 3 == 0 { u64::MAX } else { row % 3 }).collect();
    let y: Vec<f64> = days.iter().map(|day| if *day == u64::MAX { 5.0 } else { *day as f64 }).collect();
    let day = || std::sync::Arc::new(arrow::array::UInt64Array::from(days.clone()));
    let data = MemoryData { train: table(vec![("day", day()), ("y", doubles(y.clone()))]), validation: None };
    let mut request = Request::linear(Task::Regression).embed("day", 2);
    request.train.epochs_max = 20;
    let (model, _) = train(&request, &data);
    let found = predict(&model.artifact, &table(vec![("day", day())]));
    assert!(found.iter().zip(&y).all(|(found, y)| (found - y).abs() < 0.05), "{found:?}");
}

#[test]
fn a_positive_weight_counts_as_that_weight_on_every_positive_row() {
    let mut by_class = Request::mlp(Task::Binary);
    by_class.train.positive_weight = Some(3.0);
    let (plain, weighted) = (circle(1, 1_000), {
        let batch = circle(1, 1_000);
        let y = arrow::array::AsArray::as_boolean(batch.column_by_name("y").unwrap()).clone();
        let weight = y.iter().map(|y| if y == Some(true) { 3.0 } else { 1.0 }).collect();
        let column = |name: &str| batch.column_by_name(name).unwrap().clone();
        table(vec![("a", column("a")), ("b", column("b")), ("y", column("y")), ("w", doubles(weight))])
    });
    let mut by_row = Request::mlp(Task::Binary);
    by_row.weight = Some("w");
    let (first, _) = train(&by_class, &MemoryData { train: plain.clone(), validation: None });
    let (second, _) = train(&by_row, &MemoryData { train: weighted, validation: None });
    let (unweighted, _) = train(&Request::mlp(Task::Binary), &MemoryData { train: plain, validation: None });
    assert_eq!(first.artifact, second.artifact);
    assert_ne!(first.artifact.weights, unweighted.artifact.weights);
}

#[test]
fn rows_of_weight_zero_teach_nothing() {
    let (a, noise) = (random(1, 2_000), random(3, 2_000));
    let broken: Vec<bool> = noise.iter().map(|noise| *noise > 0.0).collect();
    let y = a.iter().zip(&broken).map(|(a, broken)| f64::from(*a) * if *broken { -50.0 } else { 1.0 }).collect();
    let weight = broken.iter().map(|broken| if *broken { 0.0 } else { 2.0 }).collect();
    let data = MemoryData {
        train: table(vec![("a", floats(a)), ("y", doubles(y)), ("w", doubles(weight))]),
        validation: None,
    };
    let mut request = Request::linear(Task::Regression);
    request.weight = Some("w");
    request.train.epochs_max = 20;
    let (model, _) = train(&request, &data);
    let found = predict(&model.artifact, &table(vec![("a", floats(vec![1.0]))]))[0];
    assert!((found - 1.0).abs() < 0.01, "{found}");
}
