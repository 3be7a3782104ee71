use serde::{Deserialize, Serialize};
use serde_json::Value;
use tiegel_types::{Digest, Metrics, Schema, StateRef, Table, Task};

/// Everything that turns a raw row into a prediction, by content. Two trainings with the same inputs give the same digest:
/// no time, id or name of a run is in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The version of this format.
    pub format: u32,
    /// The raw columns that a request carries: those that reach a feature, and no others.
    pub input: Schema,
    /// The row-wise transforms, in order; each sees the columns that the one before left.
    pub stages: Vec<Stage>,
    pub model: BundleModel,
    pub metrics: Metrics,
    /// Stored rows to prove that serving computes what training saw.
    pub replay: ReplayTables,
}

impl Bundle {
    pub const FORMAT: u32 = 1;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Stage {
    /// A row-wise SELECT from the table `source`.
    Sql { step: String, sql: String, source: String },
    /// A plugin: reads the columns of `input`, whose places its outputs take; `keep` stay as well.
    Wasm {
        step: String,
        plugin: Digest,
        /// `name@version`, for messages.
        label: String,
        config: Value,
        input: Schema,
        state: Option<StateRef>,
        keep: Vec<String>,
    },
}

impl Stage {
    pub fn step(&self) -> &str {
        match self {
            Stage::Sql { step, .. } | Stage::Wasm { step, .. } => step,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleModel {
    pub task: Task,
    pub target: String,
    /// The columns that enter the model, in order.
    pub features: Schema,
    /// A blob of safetensors.
    pub weights: Digest,
    /// The rest of the model's artifact.
    pub config: Value,
}

/// Row i of `features` was made from row i of `raw`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayTables {
    pub raw: Table,
    pub features: Table,
}
