//! Experiments, runs and models on their way from one server to another: what is read there and taken here.
//!
//! Times are milliseconds. Ids are those of the source, but for experiments: a server says which number each has there.

mod counts;
mod points;

use serde::{Deserialize, Serialize};

use crate::RunStatus;

pub use counts::Counts;
pub use points::Points;

/// Keys and values.
pub type Pairs = Vec<(String, String)>;

/// One thing to write, whole or a part: writing it again changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Record {
    Experiment(Experiment),
    Run(Box<Run>),
    Series(Series),
    LoggedModel(Box<LoggedModel>),
    RegisteredModel(Box<RegisteredModel>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    pub id: i64,
    pub name: String,
    pub artifact_location: String,
    pub deleted: bool,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub tags: Pairs,
}

/// A run with all but its points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    pub run_id: String,
    pub experiment_id: i64,
    pub name: String,
    pub user_id: String,
    pub status: RunStatus,
    pub start_ms: i64,
    pub end_ms: Option<i64>,
    pub deleted: bool,
    /// Where the source knows it.
    pub deleted_ms: Option<i64>,
    pub artifact_uri: String,
    pub params: Pairs,
    pub tags: Pairs,
    pub datasets: Vec<Dataset>,
    pub models: Vec<ModelLink>,
}

/// A dataset that a run read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    pub name: String,
    pub digest: String,
    pub source_type: String,
    pub source: String,
    pub schema: Option<String>,
    pub profile: Option<String>,
    /// Of its use by this run.
    pub tags: Pairs,
}

/// A logged model that a run read or made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelLink {
    pub model_id: String,
    pub direction: Direction,
    pub step: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Input,
    Output,
}

/// Points of one metric of one run; a long history comes in several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    pub run_id: String,
    pub key: String,
    pub points: Points,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggedModel {
    pub model_id: String,
    pub experiment_id: i64,
    pub name: String,
    pub artifact_location: String,
    pub model_type: String,
    /// Empty where no run made it.
    pub source_run_id: String,
    /// `PENDING`, `READY` or `FAILED`.
    pub status: String,
    pub status_message: Option<String>,
    pub deleted: bool,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub params: Pairs,
    pub tags: Pairs,
    pub metrics: Vec<ModelMetric>,
}

/// A point that a run logged with a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelMetric {
    pub run_id: String,
    pub key: String,
    pub timestamp_ms: i64,
    pub step: i64,
    /// None is NaN.
    pub value: Option<f64>,
    pub dataset_name: Option<String>,
    pub dataset_digest: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredModel {
    pub name: String,
    pub description: String,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub tags: Pairs,
    /// Alias and version.
    pub aliases: Vec<(String, u32)>,
    pub versions: Vec<Version>,
    /// The highest number that a version had: deleted ones count, so that none is given again.
    pub last_version: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    pub version: u32,
    pub description: Option<String>,
    pub user_id: Option<String>,
    pub stage: String,
    pub source: String,
    pub storage_location: String,
    pub run_id: String,
    pub run_link: String,
    pub logged_model_id: Option<String>,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub tags: Pairs,
}

impl Version {
    /// Registries before logged models hold the id in the source alone.
    pub fn logged_model_of(source: &str) -> Option<String> {
        let id = source.strip_prefix("models:/")?;
        (id.starts_with("m-") && !id.contains(['/', '@'])).then(|| id.to_owned())
    }
}
