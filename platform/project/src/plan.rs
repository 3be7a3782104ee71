use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tiegel_context::{Ctx, OpResult};
use tiegel_pipeline::{Boundary, Decision, Inputs, decide, import_source, serving_boundary};
use tiegel_spec::{FieldChange, Spec};
use tiegel_types::{Digest, Kind, Name, ResourceRef};

use crate::apply::{ApplyRequest, check, merged, wanted};
use crate::graph::{Graph, Snapshot, Unit};
use crate::lookup::{Lookup, Outputs, last_inputs};
use crate::schemas::known_schemas;
use crate::warnings::warnings;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    Create,
    Update,
    Delete,
    None,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Change {
    pub action: ChangeAction,
    pub kind: Kind,
    pub name: Name,
    pub fields: Vec<FieldChange>,
}

/// What a run of a step would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepVerdict {
    Cached,
    Run,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepPlan {
    pub step: String,
    pub verdict: StepVerdict,
    pub why: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PipelinePlan {
    pub pipeline: Name,
    /// Where an endpoint takes over, or why none can.
    pub serves: String,
    pub servable: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub serial: i64,
    pub changes: Vec<Change>,
    pub steps: Vec<StepPlan>,
    pub pipelines: Vec<PipelinePlan>,
    /// What works and should not stay so, such as a deprecated plugin.
    pub warnings: Vec<String>,
}

/// What applying the documents would change, and what running them afterwards would run.
pub async fn plan(
    ctx: &Ctx,
    project: &Name,
    request: &ApplyRequest,
    source_roots: &[std::path::PathBuf],
) -> OpResult<Plan> {
    let wanted = wanted(request)?;
    let after = merged(ctx, project, request, &wanted).await?;
    check(ctx, project, &after).await?;
    let mut planner =
        Planner { ctx, project, snapshot: &after, source_roots, outputs: Outputs::default(), steps: vec![] };
    let mut pipelines = Vec::new();
    for name in after.pipelines.keys() {
        let target = ResourceRef::new(Kind::Pipeline, name.clone());
        let graph = Graph::of(ctx, project, &after, &target).await?;
        planner.walk(&graph).await?;
        pipelines.push(planner.boundary(&graph, name).await?);
    }
    for name in after.trainings.keys() {
        let graph = Graph::of(ctx, project, &after, &ResourceRef::new(Kind::Training, name.clone())).await?;
        planner.walk(&graph).await?;
    }
    let steps =
        planner.steps.into_iter().map(|(unit, (verdict, why))| StepPlan { step: unit.to_string(), verdict, why });
    let steps = steps.collect();
    let changes = changes(ctx, project, &wanted, request.prune).await?;
    let warnings = warnings(ctx, project, &after).await?;
    Ok(Plan { serial: ctx.store.project_serial(project).await?, changes, steps, pipelines, warnings })
}

struct Planner<'a> {
    ctx: &'a Ctx,
    project: &'a Name,
    snapshot: &'a Snapshot,
    source_roots: &'a [std::path::PathBuf],
    outputs: Outputs,
    steps: Vec<(Unit, (StepVerdict, String))>,
}

impl Planner<'_> {
    async fn walk(&mut self, graph: &Graph) -> OpResult<()> {
        for unit in &graph.units {
            if matches!(unit, Unit::Endpoint(_)) || self.steps.iter().any(|(u, _)| u == unit) {
                continue;
            }
            let verdict = self.verdict(graph, unit).await?;
            self.steps.push((unit.clone(), verdict));
        }
        Ok(())
    }

    async fn verdict(&mut self, graph: &Graph, unit: &Unit) -> OpResult<(StepVerdict, String)> {
        let running: BTreeSet<_> =
            self.steps.iter().filter(|(_, (v, _))| *v == StepVerdict::Run).map(|(u, _)| u).collect();
        if let Some(input) = graph.needs[unit].iter().find(|need| running.contains(need)) {
            return Ok((StepVerdict::Run, format!("its input {input} runs")));
        }
        if let Unit::Dataset(name) = unit {
            let spec = &self.snapshot.datasets[name];
            let files = match spec.source.url {
                Some(_) => import_source(self.ctx, spec, self.source_roots).await?,
                None => spec.source.files.clone(),
            };
            self.outputs.sources.insert(name.clone(), files);
        }
        let lookup = Lookup { project: self.project, snapshot: self.snapshot, graph, outputs: &self.outputs };
        let Some(inputs) = lookup.inputs(self.ctx, unit).await? else {
            return Ok((StepVerdict::Run, String::new()));
        };
        let row = self.ctx.store.cached(self.project, &inputs.key()).await?;
        let decision = self.decision(unit, row.is_some(), &inputs).await?;
        let why = decision.text.split_once(": ").map_or(decision.text.clone(), |(_, why)| why.to_owned());
        match row {
            Some(row) => {
                self.outputs.restore(unit, &row.output)?;
                Ok((StepVerdict::Cached, why))
            }
            None => Ok((StepVerdict::Run, why)),
        }
    }

    async fn decision(&self, unit: &Unit, cached: bool, inputs: &Inputs) -> OpResult<Decision> {
        let last = last_inputs(self.ctx, self.project, unit).await?;
        Ok(decide(cached, false, last.as_ref(), inputs))
    }

    async fn boundary(&self, graph: &Graph, name: &Name) -> OpResult<PipelinePlan> {
        let tables = self.outputs.tables(name);
        let schemas: BTreeMap<_, _> = tables.into_iter().map(|(n, t)| (n, t.schema)).collect();
        let schemas = known_schemas((self.ctx, self.project), &graph.pipelines[name], schemas).await?;
        let boundary = serving_boundary(self.ctx, &graph.pipelines[name], &schemas).await?;
        let servable = !matches!(boundary, Boundary::Refused { .. });
        Ok(PipelinePlan { pipeline: name.clone(), serves: boundary.describe(), servable })
    }
}

/// Differences between the documents and what the store holds.
pub(crate) async fn changes(
    ctx: &Ctx,
    project: &Name,
    wanted: &[(ResourceRef, Spec)],
    prune: bool,
) -> OpResult<Vec<Change>> {
    let stored: BTreeMap<_, _> = ctx
        .store
        .resources(project)
        .await?
        .into_iter()
        .map(|row| (ResourceRef::new(row.kind, row.name), (row.digest, row.spec)))
        .collect();
    let mut changes: Vec<_> =
        wanted.iter().map(|(reference, spec)| change(reference, spec, stored.get(reference))).collect();
    if prune {
        let gone = stored.keys().filter(|r| !wanted.iter().any(|(w, _)| w == *r));
        changes.extend(gone.map(|r| Change {
            action: ChangeAction::Delete,
            kind: r.kind,
            name: r.name.clone(),
            fields: vec![],
        }));
    }
    Ok(changes)
}

fn change(reference: &ResourceRef, spec: &Spec, stored: Option<&(Digest, Value)>) -> Change {
    let new = spec.to_json();
    let (action, fields) = match stored {
        None => (ChangeAction::Create, vec![]),
        Some((digest, _)) if *digest == Digest::of_json(&new) => (ChangeAction::None, vec![]),
        Some((_, old)) => (ChangeAction::Update, tiegel_spec::diff(old, &new)),
    };
    Change { action, kind: reference.kind, name: reference.name.clone(), fields }
}
