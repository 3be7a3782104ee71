use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_jobs::{JobHandler, JobOutcome};
use tiegel_serving::EndpointReconciler;
use tiegel_store::{JobRow, NewJob, NewStep};
use tiegel_types::{JobId, Name, ResourceRef};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};

use crate::graph::{Graph, Snapshot, Unit};
use crate::lookup::Outputs;
use crate::progress::Progress;
use crate::unit::UnitRun;

/// Steps of one job that run at the same time.
const STEPS_AT_ONCE_MAX: usize = 2;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRequest {
    pub target: ResourceRef,
    /// Run every step again, whatever is stored.
    #[serde(default)]
    pub no_cache: bool,
}

/// What a job works on: the documents as they were when it was queued.
#[derive(Serialize, Deserialize)]
struct Payload {
    no_cache: bool,
    snapshot: Snapshot,
}

/// Queues a job that brings a resource up to date with all that it needs. Refuses at once what cannot run.
pub async fn queue_run(ctx: &Ctx, project: &Name, request: RunRequest) -> OpResult<JobRow> {
    let snapshot = Snapshot::load(ctx, project).await?;
    Graph::of(ctx, project, &snapshot, &request.target).await?;
    let payload = serde_json::to_value(Payload { no_cache: request.no_cache, snapshot })
        .map_err(|e| OpError::internal(format!("cannot write a job: {e}")))?;
    let job = ctx
        .store
        .enqueue(NewJob {
            id: ctx.new_job_id(),
            project: project.clone(),
            target: request.target.to_string(),
            payload,
            priority: 0,
            trace_parent: tiegel_telemetry::current_traceparent(),
            created_ms: ctx.now_ms(),
        })
        .await?;
    ctx.wake.wake();
    Ok(job)
}

/// Runs jobs.
pub struct RunHandler {
    pub ctx: Ctx,
    pub endpoints: Arc<EndpointReconciler>,
    pub progress: Progress,
    /// Folders that `file://` sources may read.
    pub source_roots: Vec<std::path::PathBuf>,
}

#[async_trait]
impl JobHandler for RunHandler {
    async fn run(&self, job: JobRow, cancel: CancellationToken) -> JobOutcome {
        let span = info_span!("job.run", job.id = %job.id, job.target = %job.target);
        if let Some(parent) = &job.trace_parent {
            tiegel_telemetry::set_parent(&span, parent);
        }
        match self.run_job(&job, cancel).instrument(span).await {
            Ok(()) => JobOutcome::Succeeded,
            Err(OpError::Cancelled) => JobOutcome::Cancelled,
            Err(error) => JobOutcome::Failed(error.to_string()),
        }
    }
}

impl RunHandler {
    async fn run_job(&self, job: &JobRow, cancel: CancellationToken) -> OpResult<()> {
        let payload: Payload = serde_json::from_value(job.payload.clone())
            .map_err(|e| OpError::internal(format!("the job's payload is not readable: {e}")))?;
        let target: ResourceRef = job.target.parse().map_err(OpError::internal)?;
        let graph = Graph::of(&self.ctx, &job.project, &payload.snapshot, &target).await?;
        self.plan_steps(job.id, &graph).await?;
        let work = JobWork {
            handler: self,
            job,
            snapshot: payload.snapshot,
            no_cache: payload.no_cache,
            graph,
            outputs: Mutex::new(Outputs::default()),
        };
        work.run_all(cancel).await
    }

    async fn plan_steps(&self, job: JobId, graph: &Graph) -> OpResult<()> {
        let step = |unit: &Unit| NewStep { name: unit.to_string(), kind: kind(unit, graph).to_owned() };
        let steps: Vec<_> = graph.units.iter().map(step).collect();
        Ok(self.ctx.store.put_steps(job, &steps).await?)
    }
}

fn kind(unit: &Unit, graph: &Graph) -> &'static str {
    match unit {
        Unit::Dataset(_) => "dataset",
        Unit::Training(_) => "training",
        Unit::Endpoint(_) => "endpoint",
        Unit::Step { pipeline, step } => {
            match graph.pipelines.get(pipeline).and_then(|p| p.step(step)).map(|s| &s.code) {
                Some(tiegel_pipeline::StepCode::Wasm(_)) => "wasm",
                _ => "sql",
            }
        }
    }
}

/// One job under way.
pub struct JobWork<'a> {
    pub handler: &'a RunHandler,
    pub job: &'a JobRow,
    pub snapshot: Snapshot,
    pub no_cache: bool,
    pub graph: Graph,
    pub outputs: Mutex<Outputs>,
}

impl JobWork<'_> {
    /// Runs units as their inputs become ready. After a failure nothing new starts; what runs is cancelled.
    async fn run_all(&self, job_cancel: CancellationToken) -> OpResult<()> {
        let cancel = job_cancel.child_token();
        let mut waiting: BTreeMap<_, _> = self.graph.needs.clone();
        let mut done = BTreeSet::new();
        let mut running = FuturesUnordered::new();
        let mut failure = None;
        loop {
            if failure.is_none() && !cancel.is_cancelled() {
                let ready: Vec<_> = self.ready(&waiting, &done, STEPS_AT_ONCE_MAX - running.len());
                for unit in ready {
                    waiting.remove(&unit);
                    let run = UnitRun { work: self, unit: unit.clone(), cancel: cancel.child_token() };
                    running.push(async move { (unit, run.run().await) });
                }
            }
            let Some((unit, result)) = running.next().await else { break };
            match result {
                Ok(()) => drop(done.insert(unit)),
                Err(error) => {
                    cancel.cancel();
                    failure = failure.or(Some(error));
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None if !waiting.is_empty() => Err(OpError::Cancelled),
            None => Ok(()),
        }
    }

    fn ready(&self, waiting: &BTreeMap<Unit, BTreeSet<Unit>>, done: &BTreeSet<Unit>, slots: usize) -> Vec<Unit> {
        let is_ready = |unit: &&Unit| waiting.get(*unit).is_some_and(|needs| needs.is_subset(done));
        self.graph.units.iter().filter(is_ready).take(slots).cloned().collect()
    }
}
