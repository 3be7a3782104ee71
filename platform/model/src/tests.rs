//! Tests through the engine's door, on tables in memory.

mod data;
mod determinism;
mod learning;
mod measures;
mod messages;
mod prediction;
mod stopping;

use tiegel_engine::{ModelEngine, ModelError, TrainedModel};

use crate::{CandleEngine, ModelConfig};
use data::{MemoryData, Recorder, Request};

fn engine() -> CandleEngine {
    CandleEngine::new(&ModelConfig { threads: 1, device: "cpu".to_owned() }).unwrap()
}

/// Fits without interruption.
fn train(request: &Request, data: &MemoryData) -> (TrainedModel, Recorder) {
    let mut recorder = Recorder::default();
    let model = engine().train(&request.build(data), data, &mut recorder).unwrap();
    (model, recorder)
}

fn refusal(result: Result<impl Sized, ModelError>) -> String {
    match result {
        Err(ModelError::Invalid(message)) => message,
        Err(other) => panic!("not the user's error: {other:?}"),
        Ok(_) => panic!("was accepted"),
    }
}
