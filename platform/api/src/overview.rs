use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tiegel_context::OpResult;
use tiegel_http::{Json, Problem, Query};
use tiegel_pipeline::serving_boundary;
use tiegel_project::{Graph, Snapshot};
use tiegel_store::{JobRow, StepRow};
use tiegel_types::{Kind, Name, ResourceRef};
use utoipa::{IntoParams, ToSchema};

use crate::{ApiResult, ApiState};

/// Newest jobs and runs shown.
const SHOWN_MAX: u32 = 20;

#[derive(Serialize, ToSchema)]
pub struct Overview {
    pub version: String,
    pub projects: Vec<NamedProject>,
    pub project: String,
    pub datasets: Vec<DatasetLine>,
    pub pipelines: Vec<PipelineLine>,
    pub trainings: Vec<TrainingLine>,
    pub runs: Vec<RunLine>,
    pub models: Vec<ModelLine>,
    pub endpoints: Vec<EndpointLine>,
    pub jobs: Vec<JobLine>,
}

#[derive(Serialize, ToSchema)]
pub struct NamedProject {
    pub name: String,
}

#[derive(Serialize, ToSchema)]
pub struct DatasetLine {
    pub name: String,
    pub version: u32,
    pub rows: u64,
    pub columns: usize,
    pub bytes: u64,
    pub digest: String,
    pub created_ms: i64,
    pub tests_passed: usize,
    pub tests_total: usize,
}

#[derive(Serialize, ToSchema)]
pub struct PipelineLine {
    pub name: String,
    pub steps: Vec<StepLine>,
    /// The first step that an endpoint runs.
    pub serving_boundary: Option<String>,
    pub last_job: Option<LastJob>,
}

#[derive(Serialize, ToSchema)]
pub struct StepLine {
    pub name: String,
    pub kind: String,
    pub state: Option<String>,
    pub rows: Option<u64>,
    pub cached: bool,
    pub duration_ms: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct LastJob {
    pub id: String,
    pub state: String,
    pub created_ms: i64,
    pub finished_ms: Option<i64>,
}

#[derive(Serialize, ToSchema)]
pub struct TrainingLine {
    pub name: String,
    pub pipeline: String,
    pub task: String,
    pub family: String,
    pub model: Option<String>,
    pub last_run: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct RunLine {
    pub run_id: String,
    pub experiment: String,
    pub name: String,
    pub status: String,
    pub start_ms: i64,
    pub end_ms: Option<i64>,
    pub metrics: BTreeMap<String, f64>,
}

#[derive(Serialize, ToSchema)]
pub struct ModelLine {
    pub name: String,
    pub latest_version: u32,
    pub aliases: Vec<crate::models::Alias>,
}

#[derive(Serialize, ToSchema)]
pub struct EndpointLine {
    pub name: String,
    pub state: String,
    pub model: String,
    pub live_version: Option<u32>,
    pub message: Option<String>,
    pub replay: Option<ReplayLine>,
}

/// What the newest skew replay found.
#[derive(Serialize, ToSchema)]
pub struct ReplayLine {
    pub rows: u64,
    pub passed: bool,
    pub max_prediction_difference: Option<f64>,
}

#[derive(Serialize, ToSchema)]
pub struct JobLine {
    pub id: String,
    pub target: String,
    pub state: String,
    pub created_ms: i64,
    pub started_ms: Option<i64>,
    pub finished_ms: Option<i64>,
    pub steps_done: usize,
    pub steps_total: usize,
    pub error: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WhichProject {
    /// By default `default`.
    project: Option<String>,
}

/// A project at a glance.
#[utoipa::path(get, path = "/api/v1/overview", tag = "operations", params(WhichProject),
    responses((status = 200, body = Overview), (status = "4XX", body = Problem)))]
pub async fn overview(State(state): State<ApiState>, Query(which): Query<WhichProject>) -> ApiResult<Json<Overview>> {
    let project = which.project.unwrap_or_else(|| "default".to_owned());
    let project = Name::new(project).map_err(crate::failure::malformed)?;
    let store = &state.ctx.store;
    let projects = store.projects().await?.into_iter().map(|p| NamedProject { name: p.name.to_string() }).collect();
    let snapshot = Snapshot::load(&state.ctx, &project).await?;
    let jobs = store.jobs(Some(&project), SHOWN_MAX).await?;
    let mut steps = BTreeMap::new();
    for job in &jobs {
        steps.insert(job.id, store.steps(job.id).await?);
    }
    let pages = Pages { state: &state, project: &project, snapshot: &snapshot };
    Ok(Json(Overview {
        version: state.version.to_owned(),
        projects,
        datasets: pages.datasets().await?,
        pipelines: pages.pipelines(&jobs, &steps).await?,
        trainings: pages.trainings().await?,
        runs: pages.runs().await?,
        models: pages.models().await?,
        endpoints: pages.endpoints().await?,
        jobs: jobs.iter().map(|job| job_line(job, &steps[&job.id])).collect(),
        project: project.to_string(),
    }))
}

struct Pages<'a> {
    state: &'a ApiState,
    project: &'a Name,
    snapshot: &'a Snapshot,
}

impl Pages<'_> {
    /// Declared datasets; a pipeline's tables are shown with its steps.
    async fn datasets(&self) -> OpResult<Vec<DatasetLine>> {
        let rows = self.state.ctx.store.datasets(self.project).await?;
        let declared = rows.into_iter().filter(|row| self.snapshot.datasets.contains_key(&row.name));
        let line = |row: tiegel_store::DatasetVersionRow| DatasetLine {
            name: row.name.to_string(),
            version: row.version,
            rows: row.table.rows,
            columns: row.table.schema.fields.len(),
            bytes: row.table.files.iter().map(|f| f.bytes).sum(),
            digest: row.digest.to_string(),
            created_ms: row.created_ms,
            tests_passed: row.tests.iter().filter(|t| t.passed).count(),
            tests_total: row.tests.len(),
        };
        Ok(declared.map(line).collect())
    }

    async fn pipelines(
        &self,
        jobs: &[JobRow],
        steps: &BTreeMap<tiegel_types::JobId, Vec<StepRow>>,
    ) -> OpResult<Vec<PipelineLine>> {
        let mut lines = Vec::new();
        for (name, spec) in &self.snapshot.pipelines {
            let prefix = format!("{name}.");
            let last = jobs.iter().find(|j| steps[&j.id].iter().any(|s| s.name.starts_with(&prefix)));
            let find =
                |step: &Name| last.and_then(|j| steps[&j.id].iter().find(|s| s.name == format!("{name}.{step}")));
            let line = |(step, spec): (&Name, &tiegel_spec::StepSpec)| step_line(step, spec, find(step));
            lines.push(PipelineLine {
                name: name.to_string(),
                steps: spec.steps.iter().map(line).collect(),
                serving_boundary: self.boundary(name).await,
                last_job: last.map(|job| LastJob {
                    id: job.id.to_string(),
                    state: job.state.to_string(),
                    created_ms: job.created_ms,
                    finished_ms: job.finished_ms,
                }),
            });
        }
        Ok(lines)
    }

    /// None where it is not known or the pipeline cannot be served: `tiegel plan` says why.
    async fn boundary(&self, pipeline: &Name) -> Option<String> {
        let ctx = &self.state.ctx;
        let target = ResourceRef::new(Kind::Pipeline, pipeline.clone());
        let graph = Graph::of(ctx, self.project, self.snapshot, &target).await.ok()?;
        let mut schemas = BTreeMap::new();
        for row in ctx.store.datasets(self.project).await.ok()? {
            let name = row.name.as_str().strip_prefix(&format!("{pipeline}.")).unwrap_or(row.name.as_str());
            schemas.insert(Name::new(name).ok()?, row.table.schema);
        }
        match serving_boundary(ctx, graph.pipelines.get(pipeline)?, &schemas).await.ok()? {
            tiegel_pipeline::Boundary::Serves { steps, .. } => steps.first().map(Name::to_string),
            _ => None,
        }
    }

    async fn trainings(&self) -> OpResult<Vec<TrainingLine>> {
        let runs = self.state.ctx.store.runs(self.project, None, SHOWN_MAX).await?;
        let text = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let lines = self.snapshot.trainings.iter().map(|(name, spec)| TrainingLine {
            name: name.to_string(),
            pipeline: spec.pipeline.to_string(),
            task: text(serde_json::json!(spec.task)),
            family: text(serde_json::json!(spec.model.family)),
            model: spec.register.as_ref().map(|r| r.model.to_string()),
            last_run: runs.iter().find(|r| r.source["name"] == name.as_str()).map(|r| r.run_id.to_string()),
        });
        Ok(lines.collect())
    }

    async fn runs(&self) -> OpResult<Vec<RunLine>> {
        let store = &self.state.ctx.store;
        let experiments: BTreeMap<_, _> =
            store.experiments(self.project).await?.into_iter().map(|e| (e.id, e.name)).collect();
        let mut lines = Vec::new();
        for row in store.runs(self.project, None, SHOWN_MAX).await? {
            let metrics = store.latest_metrics(&row.run_id).await?.into_iter();
            let metrics = metrics.map(|(key, point)| (key, point.value)).collect();
            lines.push(RunLine {
                run_id: row.run_id.to_string(),
                experiment: experiments.get(&row.experiment_id).cloned().unwrap_or_default(),
                name: row.name,
                status: row.status.to_string(),
                start_ms: row.start_ms,
                end_ms: row.end_ms,
                metrics,
            });
        }
        Ok(lines)
    }

    async fn models(&self) -> OpResult<Vec<ModelLine>> {
        let store = &self.state.ctx.store;
        let mut lines = Vec::new();
        for row in store.models(self.project).await?.into_iter().filter(|row| !row.is_prompt()) {
            lines.push(ModelLine {
                latest_version: row.latest.iter().map(|v| v.version).max().unwrap_or(0),
                aliases: row.aliases.into_iter().map(crate::models::Alias::from).collect(),
                name: row.name,
            });
        }
        Ok(lines)
    }

    async fn endpoints(&self) -> OpResult<Vec<EndpointLine>> {
        let statuses = self.state.ctx.store.endpoint_statuses().await?;
        let line = |(name, spec): (&Name, &tiegel_spec::EndpointSpec)| {
            let status = statuses.iter().find(|s| s.name == *name);
            let pointer = match (&spec.alias, spec.version) {
                (Some(alias), _) => format!("{}@{alias}", spec.model),
                (None, version) => format!("{} version {}", spec.model, version.unwrap_or_default()),
            };
            EndpointLine {
                name: name.to_string(),
                state: status.map_or("pending".to_owned(), |s| s.state.to_string()),
                model: pointer,
                live_version: status.and_then(|s| s.live_version),
                message: status.and_then(|s| s.message.clone()),
                replay: status.and_then(|s| replay_line(s.replay.as_ref())),
            }
        };
        Ok(self.snapshot.endpoints.iter().map(line).collect())
    }
}

fn replay_line(record: Option<&serde_json::Value>) -> Option<ReplayLine> {
    let record = tiegel_serving::ReplayRecord::read(record);
    let report = record.refused.and_then(|r| r.report).or(record.proven.map(|p| p.report))?;
    Some(ReplayLine {
        rows: report.rows,
        passed: report.passed,
        max_prediction_difference: report.max_prediction_difference,
    })
}

fn step_line(step: &Name, spec: &tiegel_spec::StepSpec, row: Option<&StepRow>) -> StepLine {
    let state = row.map(|r| r.state);
    StepLine {
        name: step.to_string(),
        kind: if spec.sql.is_some() { "sql" } else { "wasm" }.to_owned(),
        state: state.map(|s| s.to_string()),
        rows: row.and_then(|r| r.rows),
        cached: state == Some(tiegel_types::StepState::Cached),
        duration_ms: row.and_then(|r| Some(r.finished_ms? - r.started_ms?)),
    }
}

fn job_line(job: &JobRow, steps: &[StepRow]) -> JobLine {
    use tiegel_types::StepState::{Cached, Succeeded};
    JobLine {
        id: job.id.to_string(),
        target: job.target.clone(),
        state: job.state.to_string(),
        created_ms: job.created_ms,
        started_ms: job.started_ms,
        finished_ms: job.finished_ms,
        steps_done: steps.iter().filter(|s| matches!(s.state, Succeeded | Cached)).count(),
        steps_total: steps.len(),
        error: job.error.clone(),
    }
}
