//! Fitting a model on a pipeline's output, evaluating it once on the test rows, and binding it with its transforms.
//!
//! Invariants: the test split is read once, for the report; the bundle holds exactly the transforms that made the training
//! rows; an interrupted training goes on from its last epoch and ends with the same bytes.

mod bundle;
mod data;
mod evaluate;
mod observer;
mod run;
mod train;

pub use bundle::{ServingChain, serving_chain};
pub use train::{Training, TrainingOutput, model_features, run_training, training_inputs};
