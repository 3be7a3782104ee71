//! A host with the components of `plugins/dist`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use serde_json::Value;
use tempfile::TempDir;
use tiegel_engine::{
    Binding, FitRows, Fitted, PluginFailure, PluginHost, PluginImage, PluginLimits, State, Transformer, arrow_schema,
};
use tiegel_types::limits::FIT_CHUNK_ROWS;
use tiegel_types::{DType, Digest, Field, Schema, StateRef};
pub use tiegel_wasm::proof::bytes;
use tiegel_wasm::{HostConfig, WasmHost};

pub struct Bench {
    pub host: WasmHost,
    pub dir: PathBuf,
    _temporary: Option<TempDir>,
}

impl Bench {
    /// A host of its own, with the compiled code that earlier tests left.
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut HostConfig)) -> Self {
        Self::start(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled-plugins"), None, change)
    }

    /// A host in an empty folder.
    pub fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start(dir.path().to_owned(), Some(dir), |_| {})
    }

    fn start(dir: PathBuf, temporary: Option<TempDir>, change: impl FnOnce(&mut HostConfig)) -> Self {
        let mut config = HostConfig::new(&dir);
        change(&mut config);
        Self { host: WasmHost::new(&config).unwrap(), dir, _temporary: temporary }
    }

    /// Installs a plugin and binds it to columns.
    pub fn bind(&self, plugin: &str, config: Value, input: &Schema) -> Binding {
        let wasm = component(plugin);
        let descriptor = self.host.install(&wasm).unwrap();
        let label = format!("{}@{}", descriptor.name, descriptor.version);
        let image = PluginImage { digest: Digest::of(&wasm), label };
        Binding { image, config, input: input.clone(), target: None, limits: PluginLimits::default() }
    }

    /// Fits on batches: one fixed chunk each.
    pub fn fit(&self, binding: &Binding, chunks: &[RecordBatch]) -> Result<Fitted, PluginFailure> {
        let partials = chunks.iter().enumerate().map(|(chunk, batch)| self.partial(binding, chunk as u64, batch));
        self.host.finish(binding, &partials.collect::<Result<Vec<_>, _>>()?)
    }

    pub fn partial(&self, binding: &Binding, chunk: u64, batch: &RecordBatch) -> Result<Vec<u8>, PluginFailure> {
        assert!(batch.num_rows() <= FIT_CHUNK_ROWS);
        self.host.partial(binding, chunk, &FitRows { batches: vec![batch.clone()], targets: None })
    }

    /// Fits on one batch and loads the state into warm instances.
    pub fn fitted(&self, binding: &Binding, batch: &RecordBatch) -> Arc<dyn Transformer> {
        let fitted = self.fit(binding, std::slice::from_ref(batch)).unwrap();
        self.host.transformer(binding, Some(state(&fitted))).unwrap()
    }
}

pub fn state(fitted: &Fitted) -> State {
    let Fitted { state, state_version, .. } = fitted;
    let reference = StateRef { digest: Digest::of(state), version: *state_version, bytes: state.len() as u64 };
    State { reference, bytes: state.clone().into() }
}

pub fn component(plugin: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../plugins/dist/{plugin}.wasm"));
    std::fs::read(&path).unwrap_or_else(|_| panic!("plugins/dist/{plugin}.wasm is missing: run `make plugins` first"))
}

pub fn fields(columns: &[(&str, DType)]) -> Schema {
    Schema::new(columns.iter().map(|(name, dtype)| Field::new(*name, *dtype)).collect())
}

pub fn batch(schema: &Schema, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(arrow_schema(schema), columns).unwrap()
}

/// One float32 column named `x`.
pub fn floats(values: impl IntoIterator<Item = f32>) -> (Schema, RecordBatch) {
    let schema = fields(&[("x", DType::Float32)]);
    let column: ArrayRef = Arc::new(arrow::array::Float32Array::from_iter_values(values));
    let batch = batch(&schema, vec![column]);
    (schema, batch)
}
