//! Experiments and runs: MLflow's words with MLflow's meaning.
//!
//! Invariant: every write can be repeated without a second effect, so that a resumed training logs each point once.

mod names;

use serde_json::Value;
use tiegel_context::{Context, OpResult};
use tiegel_store::{Batch, LoggedMetric, NewRun, ParamConflict, Point, RunUpdate, Scope, StoreError};
use tiegel_types::{Digest, JobId, Metrics, Name, RunId, RunStatus};

pub use names::random_name;
pub use tiegel_store::DatasetInput;

pub struct StartRun {
    pub project: Name,
    pub experiment: String,
    pub run: RunId,
    pub name: String,
    pub job: JobId,
    /// What made the run, by kind and name.
    pub source: Value,
    pub params: Vec<(String, String)>,
    /// The data that it reads.
    pub datasets: Vec<DatasetInput>,
}

/// Starts a run, or goes on with it where it was started before.
pub async fn start_run(ctx: &Context, start: StartRun) -> OpResult<()> {
    let StartRun { project, experiment, run, name, job, source, params, datasets } = start;
    let now = ctx.now_ms();
    let experiment = ctx.store.ensure_experiment(&project, &experiment, now).await?;
    let new = NewRun {
        run_id: run.clone(),
        experiment_id: experiment.id,
        name,
        user_id: String::new(),
        start_ms: now,
        job_id: Some(job),
        source,
        tags: Vec::new(),
    };
    let scope = Scope::Project(project);
    ctx.store.create_run(&scope, new).await?;
    let refusal = refusal_of(&run);
    ctx.store.log_params(&scope, run.as_str(), params, refusal).await?;
    Ok(ctx.store.log_inputs(&scope, run.as_str(), datasets, Vec::new()).await?)
}

/// Logs measures of one step, with a prefix such as `validation_`.
pub async fn log_metrics(ctx: &Context, run: &RunId, prefix: &str, step: i64, metrics: &Metrics) -> OpResult<()> {
    let timestamp_ms = ctx.now_ms();
    let logged = |(key, value): (&String, &f64)| LoggedMetric {
        key: format!("{prefix}{key}"),
        point: Point::new(timestamp_ms, step, *value),
        model: None,
    };
    let batch = Batch { metrics: metrics.iter().map(logged).collect(), ..Batch::default() };
    Ok(ctx.store.log_batch(&Scope::All, run.as_str(), batch, refusal_of(run)).await?)
}

pub async fn log_artifact(ctx: &Context, run: &RunId, path: &str, digest: &Digest) -> OpResult<()> {
    let bytes = ctx.blobs.size(digest).await?;
    Ok(ctx.store.put_run_artifact(run, path, digest, bytes).await?)
}

pub async fn finish_run(ctx: &Context, run: &RunId, status: RunStatus) -> OpResult<()> {
    let update = RunUpdate { status: Some(status), end_ms: Some(ctx.now_ms()), name: None };
    match ctx.store.update_run(&Scope::All, run.as_str(), update).await {
        // Somebody deleted it: its end is of no interest, and no failure of what it tells of.
        Err(StoreError::Conflict(why)) => tracing::info!(%run, why, "a run ended after it was deleted"),
        other => _ = other?,
    }
    Ok(())
}

/// What to say of params that would change.
fn refusal_of(run: &RunId) -> impl FnOnce(Vec<ParamConflict>) -> StoreError + Send + 'static {
    let run = run.clone();
    move |conflicts| {
        let changed = |c: &ParamConflict| format!("'{}' from '{}' to '{}'", c.key, c.old_value, c.new_value);
        let changed: Vec<_> = conflicts.iter().map(changed).collect();
        StoreError::Conflict(format!(
            "run {run} keeps the params it has, and would change {}; log them under other names or start another run",
            changed.join(", ")
        ))
    }
}
