use std::sync::Arc;

use candle_core::Device;
use tiegel_engine::{
    ModelArtifact, ModelEngine, ModelError, Predictor, TrainObserver, TrainRequest, TrainedModel, TrainingData,
};
use tiegel_types::{Metrics, ModelSpec, Schema, Task};

use crate::error::{Result, invalid};
use crate::predictor::LocalPredictor;
use crate::train::{Training, in_own_pool};
use crate::{artifact, layout, metrics};

/// Counts changes of ours that give other weights for the same request.
const REVISION: u32 = 1;
/// The candle release in `Cargo.lock`; a test compares them.
const CANDLE: &str = "0.11.1";

/// Where models are trained.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// Threads of one training; 0 takes one per processor.
    pub threads: usize,
    /// `cpu`, `cuda:N`, or `auto`: the first GPU where there is one and the build supports it, else the CPU.
    pub device: String,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self { threads: 0, device: "auto".to_owned() }
    }
}

/// The model engine on candle. Prediction is always on the CPU: the models are small, and a row takes microseconds.
pub struct CandleEngine {
    device: Device,
    threads: usize,
}

impl CandleEngine {
    /// Fails where the device is unknown, not in this build, or not in this machine.
    pub fn new(config: &ModelConfig) -> Result<Self, ModelError> {
        Ok(Self { device: device(&config.device)?, threads: config.threads })
    }
}

impl ModelEngine for CandleEngine {
    /// Names the kind of device only: on the CPU the same request gives the same bits on every processor.
    fn version(&self) -> String {
        let device = if self.device.is_cpu() { "cpu" } else { "cuda" };
        format!("tiegel-model {REVISION}, candle {CANDLE}, {device}")
    }

    fn check(&self, task: Task, spec: &ModelSpec, features: &Schema) -> Result<(), ModelError> {
        layout::check(task, spec, features).map(drop)
    }

    fn train(
        &self,
        request: &TrainRequest,
        data: &dyn TrainingData,
        observer: &mut dyn TrainObserver,
    ) -> Result<TrainedModel, ModelError> {
        let training = Training { request, data, device: &self.device, version: self.version() };
        in_own_pool(self.threads, || training.run(observer))
    }

    fn load(&self, artifact: &ModelArtifact) -> Result<Arc<dyn Predictor>, ModelError> {
        Ok(Arc::new(LocalPredictor { model: artifact::load(artifact)? }))
    }

    fn metrics(&self, task: Task, predictions: &[f64], targets: &[f64]) -> Result<Metrics, ModelError> {
        metrics::metrics(task, predictions, targets)
    }
}

fn device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "auto" if candle_core::utils::cuda_is_available() => Ok(Device::new_cuda(0).unwrap_or(Device::Cpu)),
        "auto" => Ok(Device::Cpu),
        _ => {
            let number = name.strip_prefix("cuda:").and_then(|number| number.parse().ok());
            let number =
                number.ok_or_else(|| invalid(format!("device '{name}' is unknown: use cpu, cuda:0 or auto")))?;
            if !candle_core::utils::cuda_is_available() {
                return Err(invalid(format!(
                    "device '{name}' needs a build with CUDA: build with '--features cuda', or use device cpu"
                )));
            }
            Device::new_cuda(number).map_err(|e| invalid(format!("device '{name}' cannot be opened: {e}")))
        }
    }
}
