use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tiegel_context::{Context, OpError, OpResult};
use tiegel_pipeline::{InputRef, ResolvedPipeline, resolve_pipeline};
use tiegel_spec::{DatasetSpec, EndpointSpec, PipelineSpec, Spec, TrainingSpec};
use tiegel_types::{Kind, Name, ResourceRef};

/// The documents of a project, as a job or a plan sees them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Snapshot {
    pub datasets: BTreeMap<Name, DatasetSpec>,
    pub pipelines: BTreeMap<Name, PipelineSpec>,
    pub trainings: BTreeMap<Name, TrainingSpec>,
    pub endpoints: BTreeMap<Name, EndpointSpec>,
}

impl Snapshot {
    pub fn insert(&mut self, name: Name, spec: Spec) {
        match spec {
            Spec::Dataset(spec) => drop(self.datasets.insert(name, spec)),
            Spec::Pipeline(spec) => drop(self.pipelines.insert(name, spec)),
            Spec::Training(spec) => drop(self.trainings.insert(name, spec)),
            Spec::Endpoint(spec) => drop(self.endpoints.insert(name, spec)),
        }
    }

    /// What the store holds.
    pub async fn load(ctx: &Context, project: &Name) -> OpResult<Self> {
        let mut snapshot = Self::default();
        for row in ctx.store.resources(project).await? {
            snapshot.insert(row.name, parse(row.kind, &row.spec)?);
        }
        Ok(snapshot)
    }

    fn get<'a, T>(&self, map: &'a BTreeMap<Name, T>, kind: Kind, name: &Name) -> OpResult<&'a T> {
        map.get(name).ok_or_else(|| {
            let known = map.keys().map(|n| format!("{kind}/{n}")).collect::<Vec<_>>().join(", ");
            let known =
                if known.is_empty() { "none; apply a project folder with `tiegel apply`".to_owned() } else { known };
            OpError::NotFound(format!("there is no {kind} '{name}' in this project; there is: {known}"))
        })
    }
}

pub fn parse(kind: Kind, spec: &Value) -> OpResult<Spec> {
    Spec::from_json(kind, spec).map_err(|e| OpError::invalid("invalid_document", e))
}

/// One piece of work: what `tiegel plan` lists and a job runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    Dataset(Name),
    Step { pipeline: Name, step: Name },
    Training(Name),
    Endpoint(Name),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unit::Dataset(name) => write!(f, "dataset/{name}"),
            Unit::Step { pipeline, step } => write!(f, "{pipeline}.{step}"),
            Unit::Training(name) => write!(f, "training/{name}"),
            Unit::Endpoint(name) => write!(f, "endpoint/{name}"),
        }
    }
}

/// A target and all that it needs, each unit after its inputs.
pub struct Graph {
    pub units: Vec<Unit>,
    pub needs: BTreeMap<Unit, BTreeSet<Unit>>,
    pub pipelines: BTreeMap<Name, ResolvedPipeline>,
}

impl Graph {
    pub async fn of(ctx: &Context, project: &Name, snapshot: &Snapshot, target: &ResourceRef) -> OpResult<Self> {
        let mut graph = Self { units: vec![], needs: BTreeMap::new(), pipelines: BTreeMap::new() };
        match target.kind {
            Kind::Dataset => drop(graph.dataset(snapshot, &target.name)?),
            Kind::Pipeline => drop(graph.pipeline(ctx, project, snapshot, &target.name).await?),
            Kind::Training => drop(graph.training(ctx, project, snapshot, &target.name).await?),
            Kind::Endpoint => graph.endpoint(ctx, project, snapshot, &target.name).await?,
        }
        Ok(graph)
    }

    fn add(&mut self, unit: Unit, needs: BTreeSet<Unit>) -> Unit {
        if !self.needs.contains_key(&unit) {
            self.units.push(unit.clone());
            self.needs.insert(unit.clone(), needs);
        }
        unit
    }

    fn dataset(&mut self, snapshot: &Snapshot, name: &Name) -> OpResult<Unit> {
        snapshot.get(&snapshot.datasets, Kind::Dataset, name)?;
        Ok(self.add(Unit::Dataset(name.clone()), BTreeSet::new()))
    }

    /// Answers the unit that makes the pipeline's output.
    async fn pipeline(&mut self, ctx: &Context, project: &Name, snapshot: &Snapshot, name: &Name) -> OpResult<Unit> {
        let spec = snapshot.get(&snapshot.pipelines, Kind::Pipeline, name)?;
        let datasets: Vec<_> = snapshot.datasets.keys().cloned().collect();
        let resolved = resolve_pipeline(ctx, project, name, spec, &datasets).await?;
        for dataset in resolved.datasets() {
            self.dataset(snapshot, &dataset)?;
        }
        let unit = |step: &Name| Unit::Step { pipeline: name.clone(), step: step.clone() };
        for step in &resolved.steps {
            let needs = step.inputs.iter().map(|input| match input {
                InputRef::Dataset(dataset) => Unit::Dataset(dataset.clone()),
                InputRef::Step(step) => unit(step),
            });
            self.add(unit(&step.name), needs.collect());
        }
        let output = unit(&resolved.output);
        self.pipelines.insert(name.clone(), resolved);
        Ok(output)
    }

    async fn training(&mut self, ctx: &Context, project: &Name, snapshot: &Snapshot, name: &Name) -> OpResult<Unit> {
        let spec = snapshot.get(&snapshot.trainings, Kind::Training, name)?;
        self.pipeline(ctx, project, snapshot, &spec.pipeline).await?;
        let steps =
            self.units.iter().filter(|u| matches!(u, Unit::Step { pipeline, .. } if *pipeline == spec.pipeline));
        let needs = steps.cloned().collect();
        Ok(self.add(Unit::Training(name.clone()), needs))
    }

    /// An endpoint needs the trainings that register its model.
    async fn endpoint(&mut self, ctx: &Context, project: &Name, snapshot: &Snapshot, name: &Name) -> OpResult<()> {
        let spec = snapshot.get(&snapshot.endpoints, Kind::Endpoint, name)?;
        let mut needs = BTreeSet::new();
        for (training, training_spec) in &snapshot.trainings {
            if training_spec.register.as_ref().is_some_and(|r| r.model == spec.model) {
                needs.insert(self.training(ctx, project, snapshot, training).await?);
            }
        }
        self.add(Unit::Endpoint(name.clone()), needs);
        Ok(())
    }
}
