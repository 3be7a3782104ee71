//! A context for tests of operations that need no engine: a real store, real blobs, a clock that a test sets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tempfile::TempDir;
use tiegel_blobs::Blobs;
use tiegel_engine::*;
use tiegel_jobs::{Clock, Wake};
use tiegel_signing::Trust;
use tiegel_store::{Store, sqlite_url};
use tiegel_types::*;
use tokio_util::sync::CancellationToken;

use crate::{Context, Ctx};

/// A context, with what keeps it alive.
pub struct TestContext {
    pub ctx: Ctx,
    pub clock: Arc<TestClock>,
    pub folder: TempDir,
}

/// Stands still.
#[derive(Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    pub fn set_ms(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl TestContext {
    /// Over SQLite and a folder for blobs.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = Store::open(&sqlite_url(&folder.path().join("tiegel.db"))).await.expect("SQLite opens");
        Self::over(store, folder)
    }

    pub fn over(store: Store, folder: TempDir) -> Self {
        let place = folder.path().join("blobs");
        let blobs = Blobs::open(&place.display().to_string(), vec![]).expect("a folder opens");
        let clock = Arc::new(TestClock::default());
        let ctx = Arc::new(Context {
            store,
            blobs,
            clock: clock.clone(),
            tables: Arc::new(NoEngine),
            plugins: Arc::new(NoEngine),
            models: Arc::new(NoEngine),
            metrics: Arc::default(),
            plugin_limits: PluginLimits::default(),
            trust: Trust::default(),
            wake: Wake::new(),
            rng: std::sync::Mutex::new(ChaCha20Rng::seed_from_u64(1)),
        });
        Self { ctx, clock, folder }
    }
}

/// Refuses everything.
struct NoEngine;

const REFUSED: &str = "this context has no engines";

fn no_table<T>() -> Result<T, TableError> {
    Err(TableError::Internal(REFUSED.to_owned()))
}

fn no_plugin<T>() -> Result<T, PluginFailure> {
    Err(PluginFailure::Fault { plugin: String::new(), kind: FaultKind::Host, message: REFUSED.to_owned() })
}

fn no_model<T>() -> Result<T, ModelError> {
    Err(ModelError::Internal(REFUSED.to_owned()))
}

#[async_trait]
impl TableEngine for NoEngine {
    fn version(&self) -> String {
        REFUSED.to_owned()
    }

    async fn ingest(&self, _: IngestRequest, _: CancellationToken) -> Result<Written, TableError> {
        no_table()
    }

    async fn profile(&self, _: &Table) -> Result<Profile, TableError> {
        no_table()
    }

    async fn check(&self, _: &Table, _: &[TableTest]) -> Result<Vec<TestReport>, TableError> {
        no_table()
    }

    fn references(&self, _: &str) -> Result<Vec<String>, TableError> {
        no_table()
    }

    async fn analyze(&self, _: &SqlStep, _: &BTreeMap<String, Schema>) -> Result<SqlAnalysis, TableError> {
        no_table()
    }

    async fn sql(
        &self,
        _: &SqlStep,
        _: &BTreeMap<String, Table>,
        _: PathBuf,
        _: CancellationToken,
    ) -> Result<Written, TableError> {
        no_table()
    }

    async fn transform(
        &self,
        _: TransformStep,
        _: &Table,
        _: PathBuf,
        _: CancellationToken,
    ) -> Result<Written, TableError> {
        no_table()
    }

    async fn fit(&self, _: FitStep, _: &Table, _: CancellationToken) -> Result<Fitted, TableError> {
        no_table()
    }

    fn scan(&self, _: &Table, _: ScanOptions) -> BatchStream {
        stream::once(async { no_table::<RecordBatch>() }).boxed()
    }

    async fn projector(&self, _: &SqlStep, _: &Schema) -> Result<Arc<dyn Projector>, TableError> {
        no_table()
    }

    fn encode(&self, _: &Schema, _: BatchStream, _: RowsFormat) -> EncodedStream {
        stream::once(async { no_table() }).boxed()
    }

    async fn query(&self, _: QueryRequest) -> Result<(Schema, BatchStream), TableError> {
        no_table()
    }
}

impl PluginHost for NoEngine {
    fn install(&self, _: &[u8]) -> Result<PluginDescriptor, PluginFailure> {
        no_plugin()
    }

    fn is_installed(&self, _: &Digest) -> bool {
        false
    }

    fn output_schema(&self, _: &Binding) -> Result<Option<Schema>, PluginFailure> {
        no_plugin()
    }

    fn partial(&self, _: &Binding, _: u64, _: &FitRows) -> Result<Vec<u8>, PluginFailure> {
        no_plugin()
    }

    fn finish(&self, _: &Binding, _: &[Vec<u8>]) -> Result<Fitted, PluginFailure> {
        no_plugin()
    }

    fn transformer(&self, _: &Binding, _: Option<State>) -> Result<Arc<dyn Transformer>, PluginFailure> {
        no_plugin()
    }
}

impl ModelEngine for NoEngine {
    fn version(&self) -> String {
        REFUSED.to_owned()
    }

    fn check(&self, _: Task, _: &ModelSpec, _: &Schema) -> Result<(), ModelError> {
        no_model()
    }

    fn train(
        &self,
        _: &TrainRequest,
        _: &dyn TrainingData,
        _: &mut dyn TrainObserver,
    ) -> Result<TrainedModel, ModelError> {
        no_model()
    }

    fn load(&self, _: &ModelArtifact) -> Result<Arc<dyn Predictor>, ModelError> {
        no_model()
    }

    fn metrics(&self, _: Task, _: &[f64], _: &[f64]) -> Result<Metrics, ModelError> {
        no_model()
    }
}
