//! What the tests share: an engine over a store in memory, and a plugin host in plain Rust.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Float64Type;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use serde_json::json;
use tempfile::TempDir;
use tiegel_engine::{
    Binding, FitRows, Fitted, PluginErrorCode, PluginFailure, PluginHost, PluginImage, ScanOptions, State, TableEngine,
    Transformer, Written, arrow_schema,
};
use tiegel_types::{DType, Digest, Field, FileRef, PluginDescriptor, Schema, Table};

use crate::write::{Scratch, TableWriter};
use crate::{QueryConfig, QueryEngine};

pub(crate) struct Lab {
    pub engine: QueryEngine,
    pub blobs: Arc<InMemory>,
    pub host: Arc<NativeHost>,
    dir: TempDir,
}

impl Lab {
    pub(crate) fn new(partitions: usize) -> Self {
        Self::over(Arc::default(), partitions, 256 << 20)
    }

    /// A second engine over the blobs of a first.
    pub(crate) fn over(blobs: Arc<InMemory>, partitions: usize, memory_bytes_max: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = Arc::new(NativeHost::default());
        let config = QueryConfig { memory_bytes_max, spill_dir: dir.path().join("spill"), partitions };
        let engine = QueryEngine::new(config, Arc::clone(&blobs) as _, Arc::clone(&host) as _).unwrap();
        Self { engine, blobs, host, dir }
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.dir.path().join("scratch")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn scratch_files(&self) -> usize {
        std::fs::read_dir(self.scratch()).map_or(0, Iterator::count)
    }

    /// Does the caller's part: moves scratch files into the blob store.
    pub(crate) async fn store(&self, written: Written) -> Table {
        let mut files = Vec::new();
        for file in written.files {
            let bytes = std::fs::read(&file.path).unwrap();
            self.blobs.put(&file.digest.blob_path().into(), bytes.into()).await.unwrap();
            std::fs::remove_file(&file.path).unwrap();
            files.push(FileRef { digest: file.digest, bytes: file.bytes, rows: file.rows });
        }
        Table { schema: written.schema, files, rows: written.rows }
    }

    pub(crate) async fn table(&self, schema: Schema, batches: Vec<RecordBatch>) -> Table {
        let scratch = Scratch { dir: self.path("tables"), counter: Arc::default() };
        let mut writer = TableWriter::new(schema, scratch).unwrap();
        batches.into_iter().for_each(|batch| writer.push(batch).unwrap());
        self.store(writer.finish().unwrap()).await
    }

    pub(crate) async fn rows(&self, table: &Table) -> RecordBatch {
        let batches: Vec<_> = self.engine.scan(table, ScanOptions::default()).try_collect().await.unwrap();
        concat_batches(&arrow_schema(&table.schema), &batches).unwrap()
    }
}

pub(crate) fn field(name: &str, dtype: DType) -> Field {
    Field::new(name, dtype)
}

/// `id` counts up, `x` is a float of many digits with some nulls, `carrier` one of five texts, `split` by thirds.
pub(crate) fn flights_schema() -> Schema {
    Schema::new(vec![
        field("id", DType::Int64),
        field("x", DType::Float64),
        field("carrier", DType::Utf8),
        field("split", DType::Utf8),
    ])
}

pub(crate) fn flights(from: usize, to: usize) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((from..to).map(|i| i as i64)));
    let xs = (from..to).map(|i| (i % 13 != 0).then(|| (i as f64 * 0.7).sin() * 1e3 + 0.1));
    let carriers = (from..to).map(|i| ["AA", "B6", "DL", "UA", "WN"][i * 7 % 5]);
    let splits = (from..to).map(|i| ["train", "validation", "test"][i % 3]);
    let columns: Vec<ArrayRef> = vec![
        ids,
        Arc::new(Float64Array::from_iter(xs)),
        Arc::new(StringArray::from_iter_values(carriers)),
        Arc::new(StringArray::from_iter_values(splits)),
    ];
    RecordBatch::try_new(arrow_schema(&flights_schema()), columns).unwrap()
}

/// Plugins in plain Rust, chosen by the config's `mode`: `add` adds `by` to column `x` of each row; `running` adds up
/// column `x` over all rows. A fit's state lists what each chunk taught.
#[derive(Default)]
pub(crate) struct NativeHost {
    /// The chunks that fits have begun to teach.
    begun: Mutex<Vec<u64>>,
    more: Condvar,
    /// Whether a first chunk that waited for the second, by the config's `overlap`, saw it begin.
    pub overlapped: AtomicBool,
}

pub(crate) fn binding(config: serde_json::Value) -> Binding {
    Binding {
        image: PluginImage { digest: Digest::of(b"native"), label: "native@1.0.0".into() },
        config,
        input: Schema::new(vec![field("x", DType::Float64)]),
        target: None,
        limits: tiegel_engine::PluginLimits::default(),
    }
}

fn refused(message: &str, row: Option<u64>) -> PluginFailure {
    let column = Some("x".into());
    PluginFailure::Refused {
        plugin: "native@1.0.0".into(),
        code: PluginErrorCode::InvalidInput,
        message: message.into(),
        column,
        row,
    }
}

impl PluginHost for NativeHost {
    fn install(&self, _: &[u8]) -> Result<PluginDescriptor, PluginFailure> {
        Err(refused("this host has no components", None))
    }

    fn is_installed(&self, _: &Digest) -> bool {
        true
    }

    fn output_schema(&self, binding: &Binding) -> Result<Option<Schema>, PluginFailure> {
        Ok(Some(output(binding)))
    }

    fn partial(&self, binding: &Binding, chunk: u64, rows: &FitRows) -> Result<Vec<u8>, PluginFailure> {
        self.begun.lock().unwrap().push(chunk);
        self.more.notify_all();
        if chunk == 0 && binding.config["overlap"] == true {
            // The first chunk ends after the second began, so that an engine which does not keep the order is found out.
            let begun = self.begun.lock().unwrap();
            let waited = self.more.wait_timeout_while(begun, Duration::from_secs(20), |begun| !begun.contains(&1));
            self.overlapped.store(!waited.unwrap().1.timed_out(), Ordering::SeqCst);
        }
        let sum: f64 =
            rows.batches.iter().flat_map(|b| b.column(0).as_primitive::<Float64Type>().iter().flatten()).sum();
        let sizes: Vec<usize> = rows.batches.iter().map(RecordBatch::num_rows).collect();
        let targets = rows.targets.as_ref().map(|targets| targets.iter().map(|t| t.len()).sum::<usize>());
        Ok(json!({ "chunk": chunk, "batches": sizes, "sum": sum, "targets": targets }).to_string().into_bytes())
    }

    fn finish(&self, binding: &Binding, partials: &[Vec<u8>]) -> Result<Fitted, PluginFailure> {
        Ok(Fitted { output: output(binding), state: partials.join(&b'\n'), state_version: 1 })
    }

    fn transformer(&self, binding: &Binding, _: Option<State>) -> Result<Arc<dyn Transformer>, PluginFailure> {
        Ok(Arc::new(Native { config: binding.config.clone(), output: output(binding) }))
    }
}

fn output(binding: &Binding) -> Schema {
    Schema::new(vec![field(binding.config["output"].as_str().unwrap_or("y"), DType::Float64)])
}

struct Native {
    config: serde_json::Value,
    output: Schema,
}

impl Native {
    fn answer(&self, values: Vec<Option<f64>>) -> RecordBatch {
        RecordBatch::try_new(arrow_schema(&self.output), vec![Arc::new(Float64Array::from(values))]).unwrap()
    }
}

impl Transformer for Native {
    fn output(&self) -> &Schema {
        &self.output
    }

    fn row_wise(&self) -> bool {
        self.config["mode"] == "add"
    }

    fn preferred_rows(&self) -> usize {
        self.config["rows"].as_u64().unwrap_or(0) as usize
    }

    fn transform(&self, input: &RecordBatch) -> Result<RecordBatch, PluginFailure> {
        let by = self.config["by"].as_f64().unwrap_or(0.0);
        let xs = input.column(0).as_primitive::<Float64Type>();
        if let Some(row) = xs.iter().position(|x| x.is_some() && x == self.config["refuse"].as_f64()) {
            return Err(refused("the value is refused", Some(row as u64)));
        }
        // The first rows take longest, so that an engine which does not keep the order is found out.
        let slow = xs.iter().flatten().any(|x| x == 0.0);
        std::thread::sleep(std::time::Duration::from_millis(if slow { 30 } else { 0 }));
        Ok(self.answer(xs.iter().map(|x| x.map(|x| x + by)).collect()))
    }

    fn transform_all(
        &self,
        inputs: &mut dyn Iterator<Item = Result<RecordBatch, PluginFailure>>,
        output: &mut dyn FnMut(RecordBatch) -> Result<(), PluginFailure>,
    ) -> Result<(), PluginFailure> {
        let mut total = 0.0;
        for batch in inputs {
            let batch = batch?;
            let xs = batch.column(0).as_primitive::<Float64Type>();
            let totals = xs.iter().map(|x| {
                total += x.unwrap_or(0.0);
                Some(total)
            });
            output(self.answer(totals.collect()))?;
        }
        Ok(())
    }
}
