//! A context over a real store and real blobs, with engines of closures.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use futures::StreamExt;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use tempfile::TempDir;
use tiegel_blobs::Blobs;
use tiegel_context::Context;
use tiegel_engine::*;
use tiegel_jobs::{Clock, Wake};
use tiegel_registry::{Bundle, Registration, ReplayTables, Stage, put_bundle, register};
use tiegel_store::{ResourceChange, Store, sqlite_url};
use tiegel_types::*;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::{bundle, mapping, sum};

const ROWS: usize = 40;

pub struct World {
    pub ctx: Ctx,
    pub project: Name,
    /// Calls of `PluginHost::transformer`: one for each load of a bundle.
    pub loads: Arc<AtomicU32>,
    _folder: TempDir,
}

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&sqlite_url(&folder.path().join("tiegel.db"))).await.unwrap();
        let blobs = Blobs::open(folder.path().join("blobs").to_str().unwrap(), vec![]).unwrap();
        blobs.put_bytes(bytes_of("weights")).await.unwrap();
        blobs.put_bytes(bytes_of("plugin")).await.unwrap();
        let loads = Arc::new(AtomicU32::new(0));
        let ctx = Arc::new(Context {
            store,
            blobs,
            clock: Arc::new(Ticking::default()),
            tables: Arc::new(StoredRows),
            plugins: Arc::new(Halving { loads: loads.clone() }),
            models: Arc::new(Summing),
            metrics: Arc::default(),
            plugin_limits: PluginLimits::default(),
            trust: Default::default(),
            wake: Wake::new(),
            rng: std::sync::Mutex::new(ChaCha20Rng::seed_from_u64(1)),
        });
        let project = name("flights");
        ctx.store.ensure_project(&project, 0).await.unwrap();
        Self { ctx, project, loads, _folder: folder }
    }

    /// A reconciler as a newly started server has it.
    pub fn server(&self) -> (EndpointReconciler, Endpoints) {
        let endpoints = Endpoints::new(self.ctx.metrics.clone());
        (EndpointReconciler::new(self.ctx.clone(), endpoints.clone()), endpoints)
    }

    pub async fn declare(&self, endpoint: &str, spec: Value) {
        let digest = Digest::of_json(&spec);
        let change = ResourceChange { kind: Kind::Endpoint, name: name(endpoint), spec: Some((spec, digest)) };
        self.ctx.store.apply_resources(&self.project, &[change], None, "test", 0).await.unwrap();
    }

    pub async fn undeclare(&self, endpoint: &str) {
        let change = ResourceChange { kind: Kind::Endpoint, name: name(endpoint), spec: None };
        self.ctx.store.apply_resources(&self.project, &[change], None, "test", 0).await.unwrap();
    }

    /// Registers a bundle whose plugin has this config, and moves the alias `champion` to it.
    pub async fn register(&self, config: Value) -> u32 {
        let (input, features) = (columns("distance"), columns("half"));
        let stage = Stage::Wasm {
            step: "halved".to_owned(),
            plugin: Digest::of(b"plugin"),
            label: "halve@1.0.0".to_owned(),
            config,
            input: input.clone(),
            state: None,
            keep: vec![],
        };
        let table = |schema: &Schema| Table { schema: schema.clone(), files: vec![], rows: ROWS as u64 };
        let replay = ReplayTables { raw: table(&input), features: table(&features) };
        let bundle = Bundle { replay, ..bundle(input, vec![stage], features) };
        let registration = Registration {
            project: self.project.clone(),
            model: name("delay"),
            alias: Some(name("champion")),
            bundle: put_bundle(&self.ctx, &bundle).await.unwrap(),
            run: None,
            metrics: Metrics::new(),
            actor: "test".to_owned(),
        };
        register(&self.ctx, registration).await.unwrap().version
    }
}

fn bytes_of(text: &'static str) -> bytes::Bytes {
    bytes::Bytes::from_static(text.as_bytes())
}

fn columns(column: &str) -> Schema {
    Schema::new(vec![Field::new(column, DType::Float64)])
}

/// A clock that goes on by a millisecond each time it is read.
#[derive(Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now_ms(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Halves; with `{"extra": x}` it adds x where a call carries one row, so that singles differ from what is stored.
struct Halving {
    loads: Arc<AtomicU32>,
}

fn refused(message: &str) -> PluginFailure {
    PluginFailure::Fault { plugin: "halve@1.0.0".to_owned(), kind: FaultKind::NotAPlugin, message: message.to_owned() }
}

impl PluginHost for Halving {
    fn install(&self, _: &[u8]) -> Result<PluginDescriptor, PluginFailure> {
        Err(refused("this host has it already"))
    }

    fn is_installed(&self, _: &Digest) -> bool {
        true
    }

    fn output_schema(&self, _: &Binding) -> Result<Option<Schema>, PluginFailure> {
        Ok(Some(columns("half")))
    }

    fn partial(&self, _: &Binding, _: u64, _: &FitRows) -> Result<Vec<u8>, PluginFailure> {
        Err(refused("it has nothing to fit"))
    }

    fn finish(&self, _: &Binding, _: &[Vec<u8>]) -> Result<Fitted, PluginFailure> {
        Err(refused("it has nothing to fit"))
    }

    fn transformer(&self, binding: &Binding, _: Option<State>) -> Result<Arc<dyn Transformer>, PluginFailure> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        if binding.config["broken"] == true {
            return Err(refused("it does not start"));
        }
        let extra = binding.config["extra"].as_f64().unwrap_or(0.0);
        let runner = mapping("distance", "half", move |v, rows| v / 2.0 + if rows == 1 { extra } else { 0.0 });
        let crate::stage::Runner::Wasm { transformer, .. } = runner else { return Err(refused("a plugin")) };
        Ok(transformer)
    }
}

/// `distance` is the row's number, and `half` the half of it.
struct StoredRows;

fn no<T>() -> Result<T, TableError> {
    Err(TableError::Internal("these tests only scan".to_owned()))
}

#[async_trait]
impl TableEngine for StoredRows {
    fn version(&self) -> String {
        "stored-rows 1".to_owned()
    }

    async fn ingest(&self, _: IngestRequest, _: CancellationToken) -> Result<Written, TableError> {
        no()
    }

    async fn profile(&self, _: &Table) -> Result<Profile, TableError> {
        no()
    }

    async fn check(&self, _: &Table, _: &[TableTest]) -> Result<Vec<TestReport>, TableError> {
        no()
    }

    fn references(&self, _: &str) -> Result<Vec<String>, TableError> {
        no()
    }

    async fn analyze(&self, _: &SqlStep, _: &BTreeMap<String, Schema>) -> Result<SqlAnalysis, TableError> {
        no()
    }

    async fn sql(
        &self,
        _: &SqlStep,
        _: &BTreeMap<String, Table>,
        _: PathBuf,
        _: CancellationToken,
    ) -> Result<Written, TableError> {
        no()
    }

    async fn transform(
        &self,
        _: TransformStep,
        _: &Table,
        _: PathBuf,
        _: CancellationToken,
    ) -> Result<Written, TableError> {
        no()
    }

    async fn fit(&self, _: FitStep, _: &Table, _: CancellationToken) -> Result<Fitted, TableError> {
        no()
    }

    fn scan(&self, table: &Table, options: ScanOptions) -> BatchStream {
        let scale = if table.schema.field("half").is_some() { 0.5 } else { 1.0 };
        let rows = options.offset..(options.offset + options.limit.unwrap_or(ROWS)).min(ROWS);
        let column: ArrayRef = Arc::new(rows.map(|row| Some(row as f64 * scale)).collect::<Float64Array>());
        let batch = RecordBatch::try_new(arrow_schema(&table.schema), vec![column]).unwrap();
        futures::stream::once(async move { Ok(batch) }).boxed()
    }

    async fn projector(&self, _: &SqlStep, _: &Schema) -> Result<Arc<dyn Projector>, TableError> {
        no()
    }

    fn encode(&self, _: &Schema, _: BatchStream, _: RowsFormat) -> EncodedStream {
        futures::stream::once(async { no() }).boxed()
    }

    async fn query(&self, _: QueryRequest) -> Result<(Schema, BatchStream), TableError> {
        no()
    }
}

struct Summing;

impl ModelEngine for Summing {
    fn version(&self) -> String {
        "summing 1".to_owned()
    }

    fn check(&self, _: Task, _: &ModelSpec, _: &Schema) -> Result<(), ModelError> {
        Ok(())
    }

    fn train(
        &self,
        _: &TrainRequest,
        _: &dyn TrainingData,
        _: &mut dyn TrainObserver,
    ) -> Result<TrainedModel, ModelError> {
        Err(ModelError::Invalid("these tests train nothing".to_owned()))
    }

    fn load(&self, artifact: &ModelArtifact) -> Result<Arc<dyn Predictor>, ModelError> {
        assert_eq!(artifact.weights.as_ref(), b"weights");
        Ok(sum(columns("half")))
    }

    fn metrics(&self, _: Task, _: &[f64], _: &[f64]) -> Result<Metrics, ModelError> {
        Ok(Metrics::new())
    }
}
