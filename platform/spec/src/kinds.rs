//! The kinds of document, as users write them.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tiegel_types::{DType, Digest, Kind, ModelSpec, Name, Ordering, SourceFormat, Split, TableTest, Task, TrainSpec};

/// A named table and where its rows come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DatasetSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub source: Source,
    /// Types that override what would be inferred, by column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, DType>,
    /// CSV texts that stand for null, besides the empty one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null_values: Vec<String>,
    /// Checked at ingestion; a failing test refuses the version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<TableTest>,
}

/// Exactly one of `path` and `url`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Source {
    /// A file or a glob, relative to the project folder; the client uploads what it matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Files that the server reads itself: `s3://`, `gs://`, `az://`, `https://`, or `file://` under a folder that its config allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// By default from the file's ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<SourceFormat>,
    /// Filled in by the client: what `path` matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SourceBlob>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceBlob {
    pub path: String,
    pub digest: Digest,
    pub bytes: u64,
}

/// A DAG of steps. A SQL step reads the tables that its SELECT names: datasets and other steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PipelineSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Values for `${name}` in SQL, configs and the split.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    #[schemars(with = "BTreeMap<Name, StepSpec>")]
    pub steps: IndexMap<Name, StepSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitSpec>,
    /// The step whose table is the pipeline's; by default the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Name>,
    /// The first step that an endpoint runs; by default the longest row-wise suffix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve_from: Option<Name>,
}

/// Exactly one of `sql` and `wasm`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct StepSpec {
    /// A SELECT, or the path of a `.sql` file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// SQL: the unique columns by which the output is sorted; by default all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// A plugin: `name`, `name@version` or `name@sha256:…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasm: Option<String>,
    /// Wasm: the step or dataset it reads; by default the step before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Name>,
    /// Wasm: the columns that the plugin reads. Its outputs take their place; all others pass through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Wasm: columns that the plugin reads and that stay in the output as well.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<FitSpec>,
    /// Wasm, for a plugin that is not row-wise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordering: Option<Ordering>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FitSpec {
    /// The rows that teach; by default `train` where the pipeline has a split, else all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// A column given to the plugin as the target, while fitting only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RetrySpec {
    /// Tries after the first.
    pub max: u32,
    /// Wait before the first retry; doubles each time.
    #[serde(default = "second")]
    pub backoff_ms: u64,
}

fn second() -> u64 {
    1_000
}

/// Adds the column `split` to the output of one step. Exactly one of `byTime`, `byFraction`, `byColumn`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SplitSpec {
    /// The SQL step whose rows are split.
    pub step: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_time: Option<SplitByTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_fraction: Option<SplitByFraction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_column: Option<SplitByColumn>,
}

/// Rows before `validation_from` are train, rows from `test_from` on are test, rows between are validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SplitByTime {
    pub column: String,
    /// RFC 3339 or a date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_from: Option<String>,
    pub test_from: String,
}

/// By a hash of the key and the seed, so that a row stays in its split when others come or go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SplitByFraction {
    /// The columns that identify a row.
    pub key: Vec<String>,
    #[serde(default)]
    pub seed: u64,
    #[serde(default)]
    pub validation: f64,
    pub test: f64,
}

/// By the values of a column; every other value is train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SplitByColumn {
    pub column: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation: Vec<Value>,
    pub test: Vec<Value>,
}

/// What to fit on a pipeline's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TrainingSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub pipeline: Name,
    pub task: Task,
    pub target: String,
    /// By default every column but target, weight, split and `exclude`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
    /// Columns that are no features: keys, times, anything that leaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    pub model: ModelSpec,
    #[serde(default)]
    pub train: TrainSpec,
    /// By default the training's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<RegisterSpec>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RegisterSpec {
    pub model: Name,
    /// Moved to the new version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Name>,
}

/// A served model. Exactly one of `alias` and `version`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EndpointSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub model: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    Dataset(DatasetSpec),
    Pipeline(PipelineSpec),
    Training(TrainingSpec),
    Endpoint(EndpointSpec),
}

impl Spec {
    pub fn kind(&self) -> Kind {
        match self {
            Spec::Dataset(_) => Kind::Dataset,
            Spec::Pipeline(_) => Kind::Pipeline,
            Spec::Training(_) => Kind::Training,
            Spec::Endpoint(_) => Kind::Endpoint,
        }
    }
}
