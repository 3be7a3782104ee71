//! Counts what an export made, by reading it back.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use tiegel_types::transfer::{Counts, Record};

use super::{Exporter, SOURCE_MODEL_TAG, SOURCE_RUN_TAG};
use crate::artifacts::{Tree, Trees};
use crate::fields::Fields;
use crate::read::{IsDone, Item, model_unit, models, run_unit, runs, trace_unit, traces};

/// Requests that are sent at once.
const AT_ONCE: usize = 8;

#[derive(Clone, Copy)]
enum Kind {
    Run,
    LoggedModel,
    RegisteredModel,
    Trace,
    /// A folder of files.
    Place,
}

impl Exporter {
    pub(super) async fn count_target(&self) -> anyhow::Result<Counts> {
        let mut counts = self.count_experiments().await?;
        let units = self.runs.keys().map(|id| run_unit(id)).chain(self.models.keys().map(|id| model_unit(id)));
        let units = units.chain(self.traces.iter().map(|id| trace_unit(id)));
        let places = units.filter_map(|unit| self.journal.last(&unit)?.place).collect();
        for (names, kind) in [
            (self.runs.values().cloned().collect::<Vec<_>>(), Kind::Run),
            (self.models.values().cloned().collect(), Kind::LoggedModel),
            (self.registered.clone(), Kind::RegisteredModel),
            (self.traces.clone(), Kind::Trace),
            (places, Kind::Place),
        ] {
            let count = |name: String| async move { self.count_one(&name, kind).await };
            let mut found = futures::stream::iter(names).map(count).buffer_unordered(AT_ONCE);
            while let Some(one) = found.try_next().await? {
                counts += one;
            }
        }
        Ok(counts)
    }

    async fn count_experiments(&self) -> anyhow::Result<Counts> {
        let mut counts = Counts::default();
        for id in self.experiments.values() {
            let answer = self.target.get("api/2.0/mlflow/experiments/get", &[("experiment_id", id)]).await?;
            counts.experiments += 1;
            counts.experiment_tags += answer["experiment"].list("tags").len() as u64;
        }
        Ok(counts)
    }

    async fn count_one(&self, name: &str, kind: Kind) -> anyhow::Result<Counts> {
        Ok(match kind {
            Kind::Run => self.count_run(name).await?,
            Kind::LoggedModel => {
                let mut model = models::logged_model_by_id(&self.target, name).await?;
                model.tags.retain(|(key, _)| key != SOURCE_MODEL_TAG);
                Counts::of(&Record::LoggedModel(Box::new(model)))
            }
            Kind::RegisteredModel => {
                let model = models::registered_model_by_name(&self.target, name).await?;
                Counts::of(&Record::RegisteredModel(Box::new(model)))
            }
            Kind::Trace => {
                let trace = traces::by_id(&self.target, name).await?;
                let (spans, assessments) = (trace.spans.len() as u64, trace.assessments() as u64);
                Counts { traces: 1, spans, assessments, ..Counts::default() }
            }
            Kind::Place => {
                let trees = Trees::new(Some(self.target.clone()), None);
                let files = trees.files(&Tree::Proxied(name.to_owned())).await?;
                let artifact_bytes = files.iter().map(|file| file.bytes.unwrap_or_default()).sum();
                Counts { artifacts: files.len() as u64, artifact_bytes, ..Counts::default() }
            }
        })
    }

    async fn count_run(&self, run_id: &str) -> anyhow::Result<Counts> {
        let never: IsDone = Arc::new(|_, _| false);
        let mut counts = Counts::default();
        for item in runs::read(&self.target, run_id, &never).await? {
            if let Item::Record(mut record) = item {
                if let Record::Run(run) = &mut record {
                    run.tags.retain(|(key, _)| key != SOURCE_RUN_TAG);
                }
                counts += Counts::of(&record);
            }
        }
        Ok(counts)
    }
}
