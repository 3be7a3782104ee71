use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use serde::{Deserialize, Serialize};
use tiegel_types::{Metrics, ModelSpec, Schema, Split, Task, TrainSpec};

/// Fits and runs models. Every method blocks its thread: call it off the async executor.
pub trait ModelEngine: Send + Sync {
    /// Part of every cache key: changes whenever the same training could give other weights.
    fn version(&self) -> String;

    /// Refuses a model that cannot be fitted on these features, with a sentence that says why.
    fn check(&self, task: Task, spec: &ModelSpec, features: &Schema) -> Result<(), ModelError>;

    /// Fits a model. The same request and data give the same weights, however often it was interrupted and resumed.
    fn train(
        &self,
        request: &TrainRequest,
        data: &dyn TrainingData,
        observer: &mut dyn TrainObserver,
    ) -> Result<TrainedModel, ModelError>;

    fn load(&self, artifact: &ModelArtifact) -> Result<Arc<dyn Predictor>, ModelError>;

    /// The measures of predictions against targets: `auc`, `average_precision`, `log_loss`, `accuracy` for binary;
    /// `rmse`, `r2` for regression.
    fn metrics(&self, task: Task, predictions: &[f64], targets: &[f64]) -> Result<Metrics, ModelError>;
}

#[derive(Clone, Debug)]
pub struct TrainRequest {
    pub task: Task,
    pub model: ModelSpec,
    pub train: TrainSpec,
    /// The feature columns, in the order they enter the model.
    pub features: Schema,
    pub target: String,
    /// Rows with a weight count that much in the loss.
    pub weight: Option<String>,
    /// What an interrupted run left.
    pub checkpoint: Option<Vec<u8>>,
}

/// The rows to learn from, as often as they are asked for.
pub trait TrainingData: Send + Sync {
    /// Rows of the splits in batches of at most `batch_rows`: features, target and weight, by name.
    fn batches(&self, splits: &[Split], order: Order, batch_rows: usize) -> Result<RowBatches, ModelError>;

    fn rows(&self, splits: &[Split]) -> Result<u64, ModelError>;
}

pub type RowBatches = Box<dyn Iterator<Item = Result<RecordBatch, ModelError>> + Send>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Stored,
    /// Row groups in an order drawn from the seed; the model shuffles further in a window.
    Shuffled {
        seed: u64,
    },
}

pub enum Flow {
    Continue,
    Cancel,
}

/// Is told of progress, and keeps checkpoints.
pub trait TrainObserver: Send {
    fn epoch(&mut self, report: &EpochReport) -> Flow;
    /// A checkpoint that `TrainRequest::checkpoint` takes back. Answers after it is stored.
    fn checkpoint(&mut self, epoch: u32, bytes: Vec<u8>) -> Result<(), ModelError>;
    /// Asked between batches.
    fn cancelled(&self) -> bool;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// From 1.
    pub epoch: u32,
    pub epochs_max: u32,
    /// The final fit on train plus validation.
    pub refit: bool,
    pub train_loss: f64,
    /// `loss` and the task's measures on the validation split, where there is one.
    pub validation: Metrics,
    pub learning_rate: f64,
    pub samples_per_second: f64,
}

#[derive(Clone, Debug)]
pub struct TrainedModel {
    pub artifact: ModelArtifact,
    /// The epochs that the kept weights saw.
    pub best_epoch: u32,
    pub parameters: u64,
    /// On the validation split at the best epoch.
    pub validation: Metrics,
}

/// What a bundle stores of a model: weights as safetensors, and everything else as JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelArtifact {
    pub weights: Arc<[u8]>,
    pub config: serde_json::Value,
}

pub trait Predictor: Send + Sync {
    fn features(&self) -> &Schema;
    fn task(&self) -> Task;
    /// One prediction a row, as float64: a probability or a number. A null feature is an error that names row and column.
    fn predict(&self, features: &RecordBatch) -> Result<ArrayRef, ModelError>;
}

#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The user's spec or data is wrong; the message says what and where.
    #[error("{0}")]
    Invalid(String),
    #[error("cancelled")]
    Cancelled,
    #[error("{0}")]
    Internal(String),
}
