use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use super::Record;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident: $label:literal),+ $(,)?) => {
        /// How much of everything there is, to compare two servers by.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counts {
            /// What is counted, in words, and how much there is.
            pub fn entries(&self) -> Vec<(&'static str, u64)> {
                vec![$(($label, self.$name)),+]
            }
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name += other.$name;)+
            }
        }
    };
}

counts! {
    experiments: "experiments",
    experiment_tags: "experiment tags",
    runs: "runs",
    params: "params",
    tags: "run tags",
    points: "metric points",
    dataset_inputs: "dataset inputs",
    model_links: "model inputs and outputs",
    logged_models: "logged models",
    logged_model_params: "logged model params",
    logged_model_tags: "logged model tags",
    logged_model_metrics: "logged model metrics",
    registered_models: "registered models",
    registered_model_tags: "registered model tags",
    versions: "model versions",
    version_tags: "model version tags",
    aliases: "aliases",
    traces: "traces",
    spans: "spans",
    assessments: "assessments",
    artifacts: "artifact files",
    artifact_bytes: "artifact bytes",
}

impl Counts {
    /// What a record holds. Each record of a thing counts on its own, so a run's points are counted with its series.
    pub fn of(record: &Record) -> Self {
        let length = |length: usize| length as u64;
        match record {
            Record::Experiment(experiment) => {
                Self { experiments: 1, experiment_tags: length(experiment.tags.len()), ..Self::default() }
            }
            Record::Run(run) => Self {
                runs: 1,
                params: length(run.params.len()),
                tags: length(run.tags.len()),
                dataset_inputs: length(run.datasets.len()),
                model_links: length(run.models.len()),
                ..Self::default()
            },
            Record::Series(series) => Self { points: length(series.points.len()), ..Self::default() },
            Record::LoggedModel(model) => Self {
                logged_models: 1,
                logged_model_params: length(model.params.len()),
                logged_model_tags: length(model.tags.len()),
                logged_model_metrics: length(model.metrics.len()),
                ..Self::default()
            },
            Record::RegisteredModel(model) => Self {
                registered_models: 1,
                registered_model_tags: length(model.tags.len()),
                versions: length(model.versions.len()),
                version_tags: model.versions.iter().map(|version| length(version.tags.len())).sum(),
                aliases: length(model.aliases.len()),
                ..Self::default()
            },
        }
    }
}
