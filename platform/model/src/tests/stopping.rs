use tiegel_types::Task;

use super::data::{MemoryData, Request, booleans, circle, cities, floats, random, table};
use super::train;

/// Labels that have nothing to do with the features: all that a model learns from them is wrong elsewhere.
fn noise(seed: u64, rows: usize) -> MemoryData {
    let split = |seed, rows| {
        let y = random(seed + 2, rows).iter().map(|draw| *draw > 0.0).collect();
        table(vec![("a", floats(random(seed, rows))), ("b", floats(random(seed + 1, rows))), ("y", booleans(y))])
    };
    MemoryData { train: split(seed, rows), validation: Some(split(seed + 50, 500)) }
}

#[test]
fn a_fit_stops_when_validation_no_longer_improves_and_keeps_the_best_epoch() {
    let mut request = Request::mlp(Task::Binary);
    request.train.epochs_max = 200;
    request.train.patience_epochs = 3;
    let data = noise(1, 100);
    let (model, recorder) = train(&request, &data);
    let losses: Vec<f64> = recorder.reports.iter().map(|report| report.validation["loss"]).collect();
    let best = (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b])).unwrap();
    assert_eq!(losses.len(), best + 1 + 3, "{losses:?}");
    assert!(losses.len() < 200);
    assert_eq!(model.best_epoch as usize, best + 1);
    assert_eq!(model.validation["loss"], losses[best]);

    request.train.patience_epochs = 0;
    request.train.epochs_max = losses.len() as u32 + 5;
    let (patient, recorder) = train(&request, &data);
    assert_eq!(recorder.reports.len(), losses.len() + 5, "patience 0 never stops early");
    assert!(patient.best_epoch < recorder.reports.len() as u32, "and still keeps the best epoch");
}

#[test]
fn the_kept_weights_are_those_after_the_best_epoch() {
    let mut request = Request::mlp(Task::Binary);
    request.train.optimizer.schedule = tiegel_types::LearningRate::Constant;
    request.train.epochs_max = 50;
    let data = noise(1, 100);
    let (stopped, _) = train(&request, &data);
    request.train.epochs_max = stopped.best_epoch;
    let without = MemoryData { train: data.train.clone(), validation: None };
    let (exact, _) = train(&request, &without);
    assert_eq!(stopped.artifact.weights, exact.artifact.weights);
}

#[test]
fn a_refit_learns_from_train_and_validation_for_the_best_number_of_epochs() {
    let data = MemoryData {
        train: cities(1, 1_000, &["Aachen", "Bonn"]),
        validation: Some(cities(2, 400, &["Aachen", "Bonn", "Celle"])),
    };
    let mut request = Request::mlp(Task::Regression).embed("city", 2);
    let (plain, _) = train(&request, &data);
    request.train.refit = true;
    let (refitted, recorder) = train(&request, &data);

    let (first, second): (Vec<_>, Vec<_>) = recorder.reports.iter().partition(|report| !report.refit);
    assert_eq!(refitted.best_epoch, plain.best_epoch);
    assert_eq!(refitted.validation, plain.validation, "the measures stay those of the first fit");
    assert_eq!(second.len(), plain.best_epoch as usize);
    assert!(second.iter().all(|report| report.epochs_max == plain.best_epoch && report.validation.is_empty()));
    assert!(first.iter().all(|report| report.epochs_max == 8 && !report.validation.is_empty()));
    let values = |model: &tiegel_engine::TrainedModel| model.artifact.config["vocabularies"]["city"]["values"].clone();
    assert_eq!(values(&plain), serde_json::json!(["Aachen", "Bonn"]));
    assert_eq!(values(&refitted), serde_json::json!(["Aachen", "Bonn", "Celle"]));
}

#[test]
fn a_refit_without_a_validation_split_has_nothing_to_add() {
    let data = MemoryData { train: circle(1, 500), validation: None };
    let mut request = Request::mlp(Task::Binary);
    let (plain, _) = train(&request, &data);
    request.train.refit = true;
    let (refitted, recorder) = train(&request, &data);
    assert_eq!(plain.artifact, refitted.artifact);
    assert!(recorder.reports.iter().all(|report| !report.refit));
}

#[test]
fn reports_say_what_happened() {
    let data = MemoryData { train: circle(1, 1_000), validation: Some(circle(5, 200)) };
    let (_, recorder) = train(&Request::mlp(Task::Binary), &data);
    for (index, report) in recorder.reports.iter().enumerate() {
        assert_eq!((report.epoch as usize, report.epochs_max), (index + 1, 8));
        assert!(report.samples_per_second > 0.0 && report.train_loss > 0.0);
        assert!(report.validation.contains_key("auc") && report.validation.contains_key("log_loss"));
        // No weights: the loss is the plain mean, which log_loss is too.
        assert!((report.validation["loss"] - report.validation["log_loss"]).abs() < 1e-9);
    }
    let rates: Vec<f64> = recorder.reports.iter().map(|report| report.learning_rate).collect();
    assert!(rates.windows(2).all(|pair| pair[0] > pair[1]) && rates[7] < 0.001, "{rates:?}");
}
