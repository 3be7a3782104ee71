//! What the sandbox costs: a plugin against the same arithmetic in this process, in one run.

mod calls;
mod runaway;
mod spread;
mod starts;

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Float32Array, RecordBatch};
use arrow::datatypes::Float32Type;
use tiegel_engine::{
    Binding, FaultKind, FitRows, PluginFailure, PluginHost, PluginImage, PluginLimits, State, Transformer, arrow_schema,
};
use tiegel_types::limits::FIT_CHUNK_ROWS;
use tiegel_types::{DType, Digest, Field, Schema, StateRef};

use crate::WasmHost;
use crate::fault::fault;
use crate::fit::slices;

pub use calls::{arrow_ipc, warm_calls};
pub use runaway::{Runaways, runaways};
pub use spread::Spread;
pub use starts::{Starts, starts};

/// How far a plugin's float32 may lie from the native one: another order of the same operations.
const DIFFERENCE_MAX: f32 = 1e-5;

/// Columns of the batch of one row.
const ROW_COLUMNS: usize = 10;

/// The best of all repeats, which other work on the machine disturbs least.
#[derive(Clone, Debug)]
pub struct StandardizeBench {
    pub rows: usize,
    /// `x * scale + shift` over all rows into a new vector, in this process.
    pub native: Duration,
    /// The plugin over the same rows: copies, deadline checks and validation of its output included.
    pub plugin: Duration,
    /// One call with 1 row of 10 columns.
    pub single_row: Duration,
}

impl StandardizeBench {
    pub fn ratio(&self) -> f64 {
        self.plugin.as_secs_f64() / self.native.as_secs_f64()
    }
}

/// Runs `standardize`, whose component is `wasm`, over `rows` float32 values, and checks its answers.
///
/// # Errors
/// When the plugin fails, or answers something else than the native loop.
pub fn standardize(
    host: &WasmHost,
    wasm: &[u8],
    rows: usize,
    repeats: usize,
) -> Result<StandardizeBench, PluginFailure> {
    let input = column(rows);
    let transformer = fitted(host, wasm, &input)?;
    let batches: Vec<_> =
        slices(rows, transformer.preferred_rows()).map(|(from, len)| input.slice(from, len)).collect();
    let values = input.column(0).as_primitive::<Float32Type>().values();
    let (scale, shift) = scaling(values);
    let (mut native, mut plugin) = (Duration::MAX, Duration::MAX);
    for _ in 0..repeats {
        let (took, expected) = timed(|| values.iter().map(|x| x * scale + shift).collect::<Vec<f32>>());
        native = native.min(took);
        let (took, found) =
            timed(|| batches.iter().map(|batch| transformer.transform(batch)).collect::<Result<Vec<_>, _>>());
        plugin = plugin.min(took);
        check(&expected, &found?)?;
    }
    let single_row = single_row(host, wasm, repeats * 100)?;
    Ok(StandardizeBench { rows, native, plugin, single_row })
}

fn single_row(host: &WasmHost, wasm: &[u8], repeats: usize) -> Result<Duration, PluginFailure> {
    let one = column(1_000);
    let fields = (0..ROW_COLUMNS).map(|i| Field::new(format!("x{i}"), DType::Float32)).collect();
    let schema = Schema::new(fields);
    let columns = vec![ArrayRef::clone(one.column(0)); ROW_COLUMNS];
    let many = RecordBatch::try_new(arrow_schema(&schema), columns).map_err(|e| host_fault(e.to_string()))?;
    let transformer = fitted(host, wasm, &many)?;
    let row = many.slice(0, 1);
    let mut best = Duration::MAX;
    for _ in 0..repeats {
        let (took, answer) = timed(|| transformer.transform(&row));
        answer?;
        best = best.min(took);
    }
    Ok(best)
}

fn fitted(host: &WasmHost, wasm: &[u8], rows: &RecordBatch) -> Result<Arc<dyn Transformer>, PluginFailure> {
    let descriptor = host.install(wasm)?;
    let label = format!("{}@{}", descriptor.name, descriptor.version);
    let binding = Binding {
        image: PluginImage { digest: Digest::of(wasm), label },
        config: serde_json::json!({}),
        input: tiegel_engine::schema_of(rows.schema_ref()).map_err(|e| host_fault(e.to_string()))?,
        target: None,
        limits: PluginLimits::default(),
    };
    let chunk = |(number, (from, len)): (usize, (usize, usize))| {
        let rows = FitRows { batches: vec![rows.slice(from, len)], targets: None };
        host.partial(&binding, number as u64, &rows)
    };
    let chunks = slices(rows.num_rows(), FIT_CHUNK_ROWS).enumerate();
    let fitted = host.finish(&binding, &chunks.map(chunk).collect::<Result<Vec<_>, _>>()?)?;
    let bytes = fitted.state.len() as u64;
    let reference = StateRef { digest: Digest::of(&fitted.state), version: fitted.state_version, bytes };
    host.transformer(&binding, Some(State { reference, bytes: fitted.state.into() }))
}

/// One column of numbers that are neither sorted nor alike.
fn column(rows: usize) -> RecordBatch {
    let values = (0..rows as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 1_000_000.0);
    let schema = arrow_schema(&Schema::new(vec![Field::new("x", DType::Float32)]));
    let column: ArrayRef = Arc::new(Float32Array::from_iter_values(values));
    RecordBatch::try_new(schema, vec![column]).expect("the column has the schema's type")
}

fn scaling(values: &[f32]) -> (f32, f32) {
    let mean = values.iter().map(|x| f64::from(*x)).sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let scale = 1.0 / variance.sqrt();
    (scale as f32, (-mean * scale) as f32)
}

fn check(expected: &[f32], found: &[RecordBatch]) -> Result<(), PluginFailure> {
    let found = found.iter().flat_map(|batch| batch.column(0).as_primitive::<Float32Type>().values().iter());
    let wrong = expected.iter().zip(found).position(|(a, b)| (a - b).abs() > DIFFERENCE_MAX);
    wrong.map_or(Ok(()), |row| Err(host_fault(format!("row {row} differs from the native result"))))
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let result = black_box(work());
    (started.elapsed(), result)
}

fn host_fault(message: String) -> PluginFailure {
    fault("standardize", FaultKind::Host, message)
}
