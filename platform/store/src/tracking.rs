//! Experiments and runs, and what runs log. Messages are those that MLflow's clients know.
//!
//! Invariants: an operation is one transaction; repeating it changes nothing; a deleted run takes no writes. Whoever
//! deletes rows of a run for good also deletes what names it by `runs.id`: see the tables' comments.

mod batch;
mod compact;
mod direct;
mod experiments;
mod fold;
mod history;
mod import;
mod inputs;
mod keys;
mod latest;
mod params;
mod point;
mod pyramid;
mod run_data;
mod runs;
mod sample;
mod segment;
mod tags;
#[cfg(test)]
mod tests;
mod text;
mod wide;

use std::collections::BTreeMap;

use tiegel_types::Name;

pub use batch::{Batch, LoggedMetric, ModelMetric};
pub use experiments::{ArtifactLocation, ExperimentRow, NewExperiment, TagLimit};
pub use history::{HistoryPage, HistoryQuery};
pub use inputs::{DatasetInput, DatasetSummary, ModelLink};
pub use params::ParamConflict;
pub use point::Point;
pub use run_data::{LatestMetric, RunData};
pub use runs::{NewRun, RunRow, RunUpdate};
pub use sample::SampleQuery;

pub(crate) use experiments::{OWN_ARTIFACTS, expect_active, expect_experiment, experiment_tags_of, experiments_of_ids};
pub(crate) use fold::Folds;
pub(crate) use import::{count_points, import_experiment, import_model_metrics, import_points, import_run};
pub(crate) use keys::{Keys, one_of};
pub(crate) use run_data::read_run_data;
pub(crate) use runs::{no_run, runs_of_ids};
pub(crate) use text::{HEAD_CHARS, split};

/// Whose experiments and runs an operation sees: what another project has does not exist.
#[derive(Clone, Debug, PartialEq)]
pub enum Scope {
    All,
    Project(Name),
}

impl Scope {
    pub fn sees(&self, project: &str) -> bool {
        match self {
            Scope::All => true,
            Scope::Project(name) => name.as_str() == project,
        }
    }
}

/// By key; of a key that is there twice, the last.
fn last_of_each(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    let unique: BTreeMap<_, _> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    unique.into_iter().collect()
}
