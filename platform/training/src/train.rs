use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_engine::{ModelError, TrainRequest, TrainedModel};
use tiegel_pipeline::{Inputs, ResolvedPipeline, StepOutput};
use tiegel_registry::{Bundle, BundleModel, ReplayTables};
use tiegel_spec::TrainingSpec;
use tiegel_types::{Digest, Field, JobId, Metrics, Name, RunId, RunStatus, SPLIT_COLUMN, Schema, Split, Table};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::instrument;

use crate::bundle::{ServingChain, serving_chain};
use crate::data::StoredRows;
use crate::evaluate::Evaluation;
use crate::observer::{Progress, RunObserver};
use crate::run::start_run;

/// A training with all that it stands on.
pub struct Training<'a> {
    pub project: &'a Name,
    pub name: &'a Name,
    pub spec: &'a TrainingSpec,
    pub pipeline: &'a ResolvedPipeline,
    pub outputs: &'a BTreeMap<Name, StepOutput>,
    pub tables: &'a BTreeMap<Name, Table>,
    pub job: JobId,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingOutput {
    pub bundle: Digest,
    pub metrics: Metrics,
    pub best_epoch: u32,
    pub parameters: u64,
    /// The run that fitted it.
    pub run: RunId,
}

impl Training<'_> {
    fn table(&self) -> OpResult<&Table> {
        self.tables
            .get(&self.pipeline.output)
            .ok_or_else(|| OpError::internal(format!("step '{}' has no output yet", self.pipeline.output)))
    }

    /// The same after a restart, so that a resumed training goes on with its run.
    fn run_id(&self) -> OpResult<RunId> {
        let digest = Digest::of(format!("run {} {}", self.job, self.name).as_bytes());
        digest.hex()[..32].parse().map_err(OpError::internal)
    }
}

/// The feature columns, in the order they enter the model.
pub fn model_features(spec: &TrainingSpec, table: &Schema) -> OpResult<Schema> {
    let known = || table.names().collect::<Vec<_>>().join(", ");
    let unknown = |what: &str, name: &str| {
        OpError::invalid(
            "unknown_column",
            format!("{what} '{name}' is no column of the pipeline's output, which has: {}", known()),
        )
    };
    for (what, name) in [("target", Some(&spec.target)), ("weight", spec.weight.as_ref())] {
        if let Some(name) = name.filter(|n| table.field(n).is_none()) {
            return Err(unknown(what, name));
        }
    }
    if let Some(name) = spec.exclude.iter().find(|n| table.field(n).is_none()) {
        return Err(unknown("excluded column", name));
    }
    let is_feature = |field: &&Field| {
        let name = &field.name;
        *name != spec.target
            && spec.weight.as_ref() != Some(name)
            && name != SPLIT_COLUMN
            && !spec.exclude.contains(name)
    };
    if spec.features.is_empty() {
        return Ok(Schema::new(table.fields.iter().filter(is_feature).cloned().collect()));
    }
    let field = |name: &String| table.field(name).cloned().ok_or_else(|| unknown("feature", name));
    Ok(Schema::new(spec.features.iter().map(field).collect::<OpResult<_>>()?))
}

/// What a training's outcome depends on.
pub async fn training_inputs(ctx: &Ctx, training: &Training<'_>) -> OpResult<Inputs> {
    let table = training.table()?;
    let features = model_features(training.spec, &table.schema)?;
    let chain = checked_chain(ctx, training, &features).await?;
    let spec = training.spec;
    let mut inputs = Inputs::default();
    inputs.add(format!("input {}", training.spec.pipeline), table.digest().to_string());
    inputs.add("raw rows", chain.raw.digest().to_string());
    inputs.add("transforms", Digest::of_json(&json!(chain.stages)).to_string());
    inputs.add("features", json!(features.names().collect::<Vec<_>>()));
    inputs.add("task", json!(spec.task)).add("target", spec.target.clone()).add("weight", json!(spec.weight));
    inputs.add("model", json!(spec.model)).add("train", json!(spec.train));
    inputs.add("engine", ctx.models.version());
    Ok(inputs)
}

async fn checked_chain(ctx: &Ctx, training: &Training<'_>, features: &Schema) -> OpResult<ServingChain> {
    let chain = serving_chain(ctx, training.pipeline, training.outputs, training.tables, features).await?;
    if let Some(leak) = chain.input.names().find(|n| **n == training.spec.target || *n == SPLIT_COLUMN) {
        let message = format!(
            "a feature is computed from '{leak}', which no request can carry; name the column in `exclude`, or leave it out of the step that reads it"
        );
        return Err(OpError::invalid("target_leak", message));
    }
    Ok(chain)
}

/// Fits, evaluates and bundles; logs it all to a run.
#[instrument(name = "training.run", skip_all, fields(training = %training.name))]
pub async fn run_training(
    ctx: &Ctx,
    training: &Training<'_>,
    key: Digest,
    cancel: CancellationToken,
    progress: Progress,
) -> OpResult<TrainingOutput> {
    let table = training.table()?.clone();
    let features = model_features(training.spec, &table.schema)?;
    ctx.models.check(training.spec.task, &training.spec.model, &features)?;
    let chain = checked_chain(ctx, training, &features).await?;
    let run = training.run_id()?;
    start_run(ctx, training, &run, &features).await?;
    let observer = RunObserver {
        ctx: ctx.clone(),
        project: training.project.clone(),
        run: run.clone(),
        key,
        runtime: Handle::current(),
        cancel,
        progress,
    };
    let fitted = fit(ctx, training, Fit { table: table.clone(), features: features.clone(), observer }).await;
    let outcome = match fitted {
        Ok((model, metrics)) => finish(ctx, training, (table, features, chain), (run.clone(), model, metrics)).await,
        Err(error) => Err(error),
    };
    let status = match &outcome {
        Ok(_) => RunStatus::Finished,
        Err(OpError::Cancelled) => RunStatus::Killed,
        Err(_) => RunStatus::Failed,
    };
    tiegel_tracking::finish_run(ctx, &run, status).await?;
    if outcome.is_ok() {
        ctx.store.clear_checkpoints(training.project, &key).await?;
    }
    outcome
}

struct Fit {
    table: Table,
    features: Schema,
    observer: RunObserver,
}

/// Trains on a thread of its own and measures every split.
async fn fit(ctx: &Ctx, training: &Training<'_>, fit: Fit) -> OpResult<(TrainedModel, Metrics)> {
    let Fit { table, features, mut observer } = fit;
    let spec = training.spec.clone();
    let checkpoint = match ctx.store.latest_checkpoint(training.project, &observer.key).await? {
        Some(row) => Some(ctx.blobs.get(&row.digest).await?.to_vec()),
        None => None,
    };
    let mut columns: Vec<_> = features.names().map(str::to_owned).collect();
    columns.push(spec.target.clone());
    columns.extend(spec.weight.clone());
    let has_split = table.schema.field(SPLIT_COLUMN).is_some();
    let data = StoredRows { ctx: ctx.clone(), table, columns, has_split, runtime: Handle::current() };
    let engine = Arc::clone(&ctx.models);
    let work = move || {
        let request = TrainRequest {
            task: spec.task,
            model: spec.model,
            train: spec.train,
            features: features.clone(),
            target: spec.target.clone(),
            weight: spec.weight,
            checkpoint,
        };
        let model = engine.train(&request, &data, &mut observer)?;
        let predictor = engine.load(&model.artifact)?;
        let evaluation = Evaluation {
            engine: engine.as_ref(),
            predictor,
            task: spec.task,
            features: &features,
            target: &spec.target,
        };
        // After a refit the validation rows are training rows, so their measures come from the fit before it.
        let prefixed =
            |split: Split, measured: Metrics| measured.into_iter().map(move |(k, v)| (format!("{split}_{k}"), v));
        let mut metrics: Metrics = prefixed(Split::Validation, model.validation.clone()).collect();
        metrics.extend(prefixed(Split::Test, evaluation.run(&data, Split::Test)?.unwrap_or_default()));
        Ok::<_, ModelError>((model, metrics))
    };
    Ok(ctx.blocking(work).await??)
}

async fn finish(
    ctx: &Ctx,
    training: &Training<'_>,
    (features_table, features, chain): (Table, Schema, ServingChain),
    (run, model, metrics): (RunId, TrainedModel, Metrics),
) -> OpResult<TrainingOutput> {
    let weights = ctx.blobs.put_bytes(model.artifact.weights.to_vec().into()).await?;
    let bundle = Bundle {
        format: Bundle::FORMAT,
        input: chain.input,
        stages: chain.stages,
        model: BundleModel {
            task: training.spec.task,
            target: training.spec.target.clone(),
            features,
            weights,
            config: model.artifact.config,
        },
        metrics: metrics.clone(),
        replay: ReplayTables { raw: chain.raw, features: features_table },
    };
    let digest = tiegel_registry::put_bundle(ctx, &bundle).await?;
    tiegel_tracking::log_metrics(ctx, &run, "", i64::from(model.best_epoch), &metrics).await?;
    tiegel_tracking::log_artifact(ctx, &run, "model/weights.safetensors", &weights).await?;
    tiegel_tracking::log_artifact(ctx, &run, "model/bundle.json", &digest).await?;
    Ok(TrainingOutput { bundle: digest, metrics, best_epoch: model.best_epoch, parameters: model.parameters, run })
}
