//! Experiments and runs: MLflow's words with MLflow's meaning.
//!
//! Invariant: every write can be repeated without a second effect, so that a resumed training logs each point once.

use serde_json::Value;
use tiegel_context::{Context, OpResult};
use tiegel_store::{MetricPoint, NewRun};
use tiegel_types::{Digest, JobId, Metrics, Name, RunId, RunStatus};

pub struct StartRun {
    pub project: Name,
    pub experiment: String,
    pub run: RunId,
    pub name: String,
    pub job: JobId,
    /// What made the run, by kind and name.
    pub source: Value,
    pub params: Vec<(String, String)>,
}

/// Starts a run, or goes on with it where it was started before.
pub async fn start_run(ctx: &Context, start: StartRun) -> OpResult<()> {
    let StartRun { project, experiment, run, name, job, source, params } = start;
    let now = ctx.now_ms();
    let experiment = ctx.store.ensure_experiment(&project, &experiment, now).await?;
    let new = NewRun {
        run_id: run.clone(),
        experiment_id: experiment.id,
        project,
        name: name.clone(),
        start_ms: now,
        job_id: Some(job),
        source,
    };
    ctx.store.create_run(new).await?;
    ctx.store.log_params(&run, &params).await?;
    ctx.store.set_tags(&run, &[("mlflow.runName".to_owned(), name)]).await?;
    Ok(())
}

/// Logs measures of one step, with a prefix such as `validation_`.
pub async fn log_metrics(ctx: &Context, run: &RunId, prefix: &str, step: i64, metrics: &Metrics) -> OpResult<()> {
    let timestamp_ms = ctx.now_ms();
    let point = |(key, value): (&String, &f64)| MetricPoint {
        key: format!("{prefix}{key}"),
        value: *value,
        step,
        timestamp_ms,
    };
    let points: Vec<_> = metrics.iter().map(point).collect();
    Ok(ctx.store.log_metrics(run, &points).await?)
}

pub async fn log_artifact(ctx: &Context, run: &RunId, path: &str, digest: &Digest) -> OpResult<()> {
    let bytes = ctx.blobs.size(digest).await?;
    Ok(ctx.store.put_run_artifact(run, path, digest, bytes).await?)
}

pub async fn finish_run(ctx: &Context, run: &RunId, status: RunStatus) -> OpResult<()> {
    Ok(ctx.store.finish_run(run, status, ctx.now_ms()).await?)
}
