use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_pipeline::{DatasetOutput, Inputs, StepOutput, dataset_inputs, step_inputs};
use tiegel_spec::SourceBlob;
use tiegel_training::{Training, TrainingOutput, training_inputs};
use tiegel_types::{JobId, Name, Table};

use crate::graph::{Graph, Snapshot, Unit};

/// The outputs of the units so far, as later units read them.
#[derive(Clone, Default)]
pub struct Outputs {
    pub datasets: BTreeMap<Name, Table>,
    pub steps: BTreeMap<Name, BTreeMap<Name, StepOutput>>,
    pub trainings: BTreeMap<Name, TrainingOutput>,
    /// What each dataset's source holds just now.
    pub sources: BTreeMap<Name, Vec<SourceBlob>>,
}

impl Outputs {
    /// The tables that a pipeline's steps can read.
    pub fn tables(&self, pipeline: &Name) -> BTreeMap<Name, Table> {
        let steps = self.steps.get(pipeline).into_iter().flatten().map(|(n, o)| (n.clone(), o.table.clone()));
        self.datasets.iter().map(|(n, t)| (n.clone(), t.clone())).chain(steps).collect()
    }

    /// Takes a unit's stored output back; answers its rows.
    pub fn restore(&mut self, unit: &Unit, output: &Value) -> OpResult<Option<u64>> {
        match unit {
            Unit::Dataset(name) => {
                let DatasetOutput { table } = read(output)?;
                let rows = table.rows;
                self.datasets.insert(name.clone(), table);
                Ok(Some(rows))
            }
            Unit::Step { pipeline, step } => {
                let output: StepOutput = read(output)?;
                let rows = output.table.rows;
                self.steps.entry(pipeline.clone()).or_default().insert(step.clone(), output);
                Ok(Some(rows))
            }
            Unit::Training(name) => {
                self.trainings.insert(name.clone(), read(output)?);
                Ok(None)
            }
            Unit::Endpoint(_) => Ok(None),
        }
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> OpResult<T> {
    T::deserialize(value).map_err(|e| OpError::internal(format!("a stored step output is not readable: {e}")))
}

/// What a unit depended on the last time that it finished, for saying what has changed since.
pub async fn last_inputs(ctx: &Ctx, project: &Name, unit: &Unit) -> OpResult<Option<Inputs>> {
    let last = ctx.store.last_step_of(project, &unit.to_string()).await?;
    Ok(last.and_then(|step| step.inputs).and_then(|inputs| serde_json::from_value(inputs).ok()))
}

pub struct Lookup<'a> {
    pub project: &'a Name,
    pub snapshot: &'a Snapshot,
    pub graph: &'a Graph,
    pub outputs: &'a Outputs,
}

impl Lookup<'_> {
    /// What a unit depends on; none for an endpoint, which is never cached. All that it needs must be in `outputs`.
    pub async fn inputs(&self, ctx: &Ctx, unit: &Unit) -> OpResult<Option<Inputs>> {
        match unit {
            Unit::Dataset(name) => {
                let files = self.outputs.sources.get(name).cloned().unwrap_or_default();
                Ok(Some(dataset_inputs(ctx, &self.snapshot.datasets[name], &files)))
            }
            Unit::Step { pipeline, step } => {
                let missing = || OpError::internal(format!("step '{step}' is not in the graph"));
                let planned = self.graph.pipelines.get(pipeline).and_then(|p| p.step(step)).ok_or_else(missing)?;
                Ok(Some(step_inputs(ctx, planned, &self.outputs.tables(pipeline))?))
            }
            Unit::Training(name) => {
                let spec = &self.snapshot.trainings[name];
                let tables = self.outputs.tables(&spec.pipeline);
                let training = self.training(name, &tables, None)?;
                Ok(Some(training_inputs(ctx, &training).await?))
            }
            Unit::Endpoint(_) => Ok(None),
        }
    }

    pub fn training<'b>(
        &'b self,
        name: &'b Name,
        tables: &'b BTreeMap<Name, Table>,
        job: Option<JobId>,
    ) -> OpResult<Training<'b>> {
        let spec = &self.snapshot.trainings[name];
        let missing = || OpError::internal(format!("pipeline '{}' is not in the graph", spec.pipeline));
        let pipeline = self.graph.pipelines.get(&spec.pipeline).ok_or_else(missing)?;
        let outputs = self.outputs.steps.get(&spec.pipeline).ok_or_else(missing)?;
        let job = job.unwrap_or_else(|| JobId::from_uuid(Default::default()));
        Ok(Training { project: self.project, name, spec, pipeline, outputs, tables, job })
    }
}
