use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A target of false and true, or 0 and 1; the prediction is the probability of true.
    Binary,
    /// A number.
    Regression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Logistic regression for `binary`, linear regression for `regression`.
    Linear,
    /// A multilayer perceptron with ReLU.
    Mlp,
}

/// The shape of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ModelSpec {
    pub family: Family,
    /// Units of each hidden layer; `mlp` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<u32>,
    /// Share of hidden units dropped in training, 0 to below 1; `mlp` only.
    #[serde(default)]
    pub dropout: f64,
    /// Categorical columns (utf8 or integer) and the length of the vector learned for each of their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub embeddings: BTreeMap<String, u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LearningRate {
    Constant,
    /// Linear warm-up over the first 5 % of steps, then half a cosine down to 0 (Loshchilov and Hutter 2017).
    Cosine,
}

/// AdamW (Loshchilov and Hutter 2019).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Optimizer {
    pub learning_rate: f64,
    pub schedule: LearningRate,
    pub weight_decay: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            learning_rate: 1e-3,
            schedule: LearningRate::Cosine,
            weight_decay: 1e-4,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
        }
    }
}

/// How a model is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct TrainSpec {
    pub epochs_max: u32,
    pub batch_rows: u32,
    pub seed: u64,
    pub optimizer: Optimizer,
    /// Weight of the positive class in the loss; none weighs both classes alike. `binary` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive_weight: Option<f64>,
    /// Stop after this many epochs without a better validation loss; 0 never stops early.
    pub patience_epochs: u32,
    /// Fit once more on train plus validation for the best number of epochs.
    pub refit: bool,
}

impl Default for TrainSpec {
    fn default() -> Self {
        Self {
            epochs_max: 10,
            batch_rows: 512,
            seed: 0,
            optimizer: Optimizer::default(),
            positive_weight: None,
            patience_epochs: 2,
            refit: false,
        }
    }
}

/// Named measures of a model on one split, such as `auc`.
pub type Metrics = BTreeMap<String, f64>;
