use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, SchemaRef};
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_engine::{Binding, ModelArtifact, PluginImage, PluginLimits, Predictor, SqlStep, arrow_schema};
use tiegel_registry::{Bundle, Stage, get_bundle};
use tiegel_types::{Digest, Name, Schema, limits};

use crate::decode::{Decoder, Input};
use crate::stage::{LoadedStage, Runner, indices, select};

/// A bundle made ready to answer: decoder, transforms on warm instances, model.
pub struct LoadedBundle {
    digest: Digest,
    bundle: Bundle,
    decoder: Decoder,
    stages: Vec<LoadedStage>,
    /// Where the features stand among the last stage's columns.
    features: Vec<usize>,
    features_schema: SchemaRef,
    predictor: Arc<dyn Predictor>,
}

impl LoadedBundle {
    /// Fetches, compiles where needed and warms everything a bundle names, as far as a project may use it.
    ///
    /// # Errors
    /// `Invalid` where the bundle itself cannot be served; `Internal` where its bytes could not be read.
    pub async fn load(ctx: &Ctx, project: &Name, digest: Digest) -> OpResult<Arc<Self>> {
        let bundle = get_bundle(ctx, &digest).await?;
        let mut loading = Loading { columns: bundle.input.clone(), stages: Vec::with_capacity(bundle.stages.len()) };
        for stage in &bundle.stages {
            let runner = load_stage((ctx, project), stage, &loading.columns)
                .await
                .map_err(|e| e.at(&format!("step '{}'", stage.step())))?;
            loading.push(stage.step(), runner)?;
        }
        let weights = ctx.blobs.get(&bundle.model.weights).await?;
        let artifact = ModelArtifact { weights: Arc::from(weights.as_ref()), config: bundle.model.config.clone() };
        let models = ctx.models.clone();
        let predictor = ctx.blocking(move || models.load(&artifact)).await??;
        Ok(Arc::new(Self::new(digest, bundle, loading, predictor)?))
    }

    /// A loaded bundle of parts that are loaded already, one runner a stage.
    pub fn assemble(
        digest: Digest,
        bundle: Bundle,
        runners: Vec<Runner>,
        predictor: Arc<dyn Predictor>,
    ) -> OpResult<Self> {
        let mut loading = Loading { columns: bundle.input.clone(), stages: Vec::with_capacity(runners.len()) };
        for (stage, runner) in bundle.stages.iter().zip(runners) {
            loading.push(stage.step(), runner)?;
        }
        Self::new(digest, bundle, loading, predictor)
    }

    fn new(digest: Digest, bundle: Bundle, loading: Loading, predictor: Arc<dyn Predictor>) -> OpResult<Self> {
        let decoder = Decoder::new(bundle.input.clone())?;
        let features = indices(&loading.columns, &bundle.model.features).map_err(|e| e.at("model"))?;
        let features_schema = arrow_schema(&bundle.model.features);
        Ok(Self { digest, bundle, decoder, stages: loading.stages, features, features_schema, predictor })
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }

    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The columns of a request.
    pub fn input(&self) -> &Schema {
        self.decoder.schema()
    }

    /// One prediction a row, for as many rows as were sent.
    pub fn answer(&self, input: &Input) -> OpResult<Vec<f64>> {
        let rows = self.decode(input)?;
        if rows.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let features = self.features(&rows)?;
        self.predict(&features)
    }

    pub(crate) fn decode(&self, input: &Input) -> OpResult<RecordBatch> {
        tracing::debug_span!("endpoint.decode", rows = input.rows()).in_scope(|| self.decoder.decode(input))
    }

    /// The features of raw rows.
    pub(crate) fn features(&self, rows: &RecordBatch) -> OpResult<RecordBatch> {
        let mut batch = rows.clone();
        for stage in &self.stages {
            batch = stage.run(&batch)?;
        }
        self.select_features(&batch)
    }

    /// The columns after each stage in turn, for finding the stage at fault.
    pub(crate) fn trail(&self, rows: &RecordBatch) -> OpResult<Vec<RecordBatch>> {
        let mut trail: Vec<RecordBatch> = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            let output = stage.run(trail.last().unwrap_or(rows))?;
            trail.push(output);
        }
        Ok(trail)
    }

    pub(crate) fn stages(&self) -> &[LoadedStage] {
        &self.stages
    }

    fn select_features(&self, batch: &RecordBatch) -> OpResult<RecordBatch> {
        select(batch, &self.features, &self.features_schema).map_err(|e| e.at("features"))
    }

    pub(crate) fn predict(&self, features: &RecordBatch) -> OpResult<Vec<f64>> {
        let predictions = self.predictor.predict(features)?;
        let predictions = predictions.as_primitive_opt::<Float64Type>().filter(|p| p.null_count() == 0);
        match predictions {
            Some(p) if p.len() == features.num_rows() => Ok(p.values().to_vec()),
            _ => Err(OpError::internal(format!(
                "the model did not answer one float64 for each of {} rows",
                features.num_rows()
            ))),
        }
    }
}

/// The stages so far and the columns that leave the last of them.
struct Loading {
    columns: Schema,
    stages: Vec<LoadedStage>,
}

impl Loading {
    fn push(&mut self, step: &str, runner: Runner) -> OpResult<()> {
        let stage = LoadedStage::plan(step, &self.columns, runner)?;
        self.columns = stage.output().clone();
        self.stages.push(stage);
        Ok(())
    }
}

async fn load_stage((ctx, project): (&Ctx, &Name), stage: &Stage, columns: &Schema) -> OpResult<Runner> {
    let (plugin, label, config, input, state, keep) = match stage {
        Stage::Sql { sql, .. } => {
            let step = SqlStep { sql: sql.clone(), key: Vec::new() };
            return Ok(Runner::Sql(ctx.tables.projector(&step, columns).await?));
        }
        Stage::Wasm { plugin, label, config, input, state, keep, .. } => (plugin, label, config, input, state, keep),
    };
    ctx.ensure_plugin(project, *plugin).await?;
    let state = match state {
        Some(reference) => Some(ctx.load_state(reference).await?),
        None => None,
    };
    let call = Duration::from_millis(limits::SERVING_CALL_MS_MAX);
    let binding = Binding {
        image: PluginImage { digest: *plugin, label: label.clone() },
        config: config.clone(),
        input: input.clone(),
        target: None,
        limits: PluginLimits { call: call.min(ctx.plugin_limits.call), ..ctx.plugin_limits.clone() },
    };
    let plugins = ctx.plugins.clone();
    let transformer = ctx.blocking(move || plugins.transformer(&binding, state)).await??;
    Ok(Runner::Wasm { transformer, reads: input.clone(), keep: keep.clone() })
}
