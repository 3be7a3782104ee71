use std::process::Command;

use tiegel_engine::{ModelEngine, ModelError, TrainedModel};
use tiegel_types::{Digest, Task};

use super::data::{MemoryData, Recorder, Request, circle, cities};
use super::{engine, train};
use crate::{CandleEngine, ModelConfig};

/// Dropout, an embedding and a refit: everything that draws or remembers.
fn everything() -> (Request, MemoryData) {
    let mut request = Request::mlp(Task::Regression).embed("city", 3);
    request.model.dropout = 0.2;
    request.train.epochs_max = 5;
    request.train.refit = true;
    let data = MemoryData {
        train: cities(1, 1_500, &["Aachen", "Bonn"]),
        validation: Some(cities(2, 300, &["Bonn", "Celle"])),
    };
    (request, data)
}

/// Layers large enough for several threads to share a product.
fn wide() -> (Request, MemoryData) {
    let mut request = Request::mlp(Task::Binary);
    request.model.hidden = vec![256, 128];
    request.train.batch_rows = 512;
    request.train.epochs_max = 2;
    (request, MemoryData { train: circle(1, 3_000), validation: Some(circle(3, 1_500)) })
}

fn with_threads(threads: usize, (request, data): (Request, MemoryData)) -> TrainedModel {
    let engine = CandleEngine::new(&ModelConfig { threads, device: "cpu".to_owned() }).unwrap();
    engine.train(&request.build(&data), &data, &mut Recorder::default()).unwrap()
}

fn digest(model: &TrainedModel) -> String {
    Digest::of(&model.artifact.weights).hex()
}

#[test]
fn the_same_request_gives_the_same_bytes_for_any_number_of_threads() {
    for case in [everything, wide] {
        let one = with_threads(1, case());
        for threads in [1, 2, 3] {
            let other = with_threads(threads, case());
            assert_eq!(one.artifact, other.artifact, "{threads} threads");
            assert_eq!((one.best_epoch, &one.validation), (other.best_epoch, &other.validation));
        }
    }
}

#[test]
fn another_seed_gives_other_weights() {
    let (mut request, data) = everything();
    let first = train(&request, &data).0;
    request.train.seed += 1;
    assert_ne!(first.artifact.weights, train(&request, &data).0.artifact.weights);
}

/// Run as a child process by the test below; alone it only says its digest.
#[test]
fn child_prints_the_digest_of_a_wide_model() {
    println!("digest {}", digest(&with_threads(2, wide())));
}

#[test]
fn rayons_environment_variable_changes_no_bit() {
    let run = |threads: &str| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "tests::determinism::child_prints_the_digest_of_a_wide_model"])
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let start = text.find("digest ").unwrap_or_else(|| panic!("no digest in {text}")) + "digest ".len();
        text[start..start + 64].to_owned()
    };
    let one = run("1");
    assert_eq!(one, run("2"));
    assert_eq!(one, digest(&with_threads(1, wide())));
}

#[test]
fn a_resumed_training_ends_with_the_same_bytes() {
    let (mut request, data) = everything();
    let (undisturbed, recorder) = train(&request, &data);
    let refits = recorder.reports.iter().filter(|report| report.refit).count();
    assert!(refits >= 1 && recorder.reports.len() > refits + 1, "both fits need several checkpoints");
    assert_eq!(recorder.checkpoints.len(), recorder.reports.len());
    for (done, checkpoint) in recorder.checkpoints.iter().enumerate() {
        request.checkpoint = Some(checkpoint.clone());
        let (resumed, rest) = train(&request, &data);
        assert_eq!(resumed.artifact, undisturbed.artifact, "resumed after {} epochs", done + 1);
        assert_eq!((resumed.best_epoch, &resumed.validation), (undisturbed.best_epoch, &undisturbed.validation));
        assert_eq!(rest.checkpoints[..], recorder.checkpoints[done + 1..], "and so are the checkpoints on the way");
    }
}

#[test]
fn a_training_cancelled_again_and_again_ends_with_the_same_bytes() {
    let (mut request, data) = everything();
    let undisturbed = train(&request, &data).0;
    let mut interruptions = 0;
    let finished = loop {
        let mut recorder = Recorder { cancel_after_reports: Some(1), ..Recorder::default() };
        match engine().train(&request.build(&data), &data, &mut recorder) {
            Ok(model) => break model,
            Err(ModelError::Cancelled) => interruptions += 1,
            Err(other) => panic!("{other}"),
        }
        request.checkpoint = recorder.checkpoints.pop();
    };
    assert_eq!(finished.artifact, undisturbed.artifact);
    assert!(interruptions > 3);
}

#[test]
fn cancelling_stops_between_batches() {
    let (request, data) = everything();
    // The survey, the first epoch, its validation, and well into the second epoch.
    for asks in [0, 3, 20, 60] {
        let mut recorder = Recorder { cancel_after_asks: Some(asks), ..Recorder::default() };
        let result = engine().train(&request.build(&data), &data, &mut recorder);
        assert!(matches!(result, Err(ModelError::Cancelled)), "after {asks}");
        assert_eq!(recorder.asks.get(), asks + 1, "nothing runs on after the answer");
    }
}
