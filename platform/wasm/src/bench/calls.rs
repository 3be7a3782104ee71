use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray, BinaryArray, RecordBatch};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use tiegel_engine::{Binding, PluginFailure, PluginHost, PluginImage, PluginLimits, arrow_schema};
use tiegel_types::{DType, Digest, Field, Schema};

use super::{ROW_COLUMNS, Spread, column, fitted, host_fault, timed};
use crate::WasmHost;
use crate::attack::guest::{Declared, Guest};

/// Calls before those that count.
const WARM_UP_CALLS: usize = 1_000;

/// Calls with 1 row of 10 float32 columns through a warm `standardize`.
///
/// # Errors
/// When the plugin fails.
pub fn warm_calls(host: &WasmHost, wasm: &[u8], calls: usize) -> Result<Spread, PluginFailure> {
    let one = column(1_000);
    let fields = (0..ROW_COLUMNS).map(|i| Field::new(format!("x{i}"), DType::Float32)).collect();
    let columns = vec![ArrayRef::clone(one.column(0)); ROW_COLUMNS];
    let many = RecordBatch::try_new(arrow_schema(&Schema::new(fields)), columns);
    let many = many.map_err(|error| host_fault(error.to_string()))?;
    let transformer = fitted(host, wasm, &many)?;
    let row = many.slice(0, 1);
    for _ in 0..WARM_UP_CALLS {
        transformer.transform(&row)?;
    }
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let (took, answer) = timed(|| transformer.transform(&row));
        answer?;
        times.push(took);
    }
    Ok(Spread::of(times))
}

/// The same rows as an Arrow IPC stream in one binary value: encoded, copied in and out through a guest that hands it back,
/// and decoded. What a guest's own decoding and encoding would cost comes on top.
///
/// # Errors
/// When the guest fails or hands back something else.
pub fn arrow_ipc(host: &WasmHost, rows: usize, repeats: usize) -> Result<Duration, PluginFailure> {
    let schema = Schema::new(vec![Field { nullable: true, ..Field::new("x", DType::Binary) }]);
    let guest = Guest { output: vec![Declared::new("x", DType::Binary)], ..Guest::default() };
    let wasm = guest.component();
    let descriptor = host.install(&wasm)?;
    let binding = Binding {
        image: PluginImage { digest: Digest::of(&wasm), label: descriptor.name },
        config: serde_json::json!({}),
        input: schema.clone(),
        target: None,
        limits: PluginLimits::default(),
    };
    let input = column(rows);
    let mut best = Duration::MAX;
    for _ in 0..repeats {
        // The guest never frees what it was handed, so each run has its own.
        let transformer = host.transformer(&binding, None)?;
        let (took, found) = timed(|| {
            let stream = encode(&input)?;
            let value: ArrayRef = Arc::new(BinaryArray::from_iter_values([stream]));
            let batch =
                RecordBatch::try_new(arrow_schema(&schema), vec![value]).map_err(|e| host_fault(e.to_string()))?;
            let answer = transformer.transform(&batch)?;
            decode(answer.column(0).as_binary::<i32>().value(0))
        });
        if found?.column(0) != input.column(0) {
            return Err(host_fault("the guest handed back other rows".to_owned()));
        }
        best = best.min(took);
    }
    Ok(best)
}

fn encode(batch: &RecordBatch) -> Result<Vec<u8>, PluginFailure> {
    let mut stream = Vec::new();
    let write = |stream: &mut Vec<u8>| {
        let mut writer = StreamWriter::try_new(stream, batch.schema_ref())?;
        writer.write(batch)?;
        writer.finish()
    };
    write(&mut stream).map_err(|error| host_fault(error.to_string()))?;
    Ok(stream)
}

fn decode(stream: &[u8]) -> Result<RecordBatch, PluginFailure> {
    let batch = StreamReader::try_new(stream, None).and_then(|mut batches| batches.next().transpose());
    let batch = batch.map_err(|error| host_fault(error.to_string()))?;
    batch.ok_or_else(|| host_fault("the stream holds no batch".to_owned()))
}
