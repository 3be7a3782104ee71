//! What a new instance of a plugin costs up to its first answer: `bench_start FILE.wasm CONFIG`, run with `--release`.

#![expect(clippy::print_stdout, reason = "a command-line tool prints its result")]

use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, error::Error, fs};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use tiegel_engine::{Binding, PluginHost, PluginImage, PluginLimits, arrow_schema};
use tiegel_types::{DType, Digest, Field, Schema};
use tiegel_wasm::{HostConfig, WasmHost};

const STARTS: usize = 500;
const WARM_CALLS: usize = 5_000;

fn main() -> Result<(), Box<dyn Error>> {
    let [_, file, dtype, config] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: bench_start FILE.wasm utf8|float64 CONFIG".into());
    };
    let (wasm, cache) = (fs::read(file)?, tempfile::tempdir()?);
    let host = WasmHost::new(&HostConfig::new(cache.path()))?;
    let compiling = Instant::now();
    let descriptor = host.install(&wasm)?;
    println!("{}: {} bytes, compiled in {:?}", descriptor.name, wasm.len(), compiling.elapsed());

    let (dtype, column): (_, ArrayRef) = match dtype.as_str() {
        "utf8" => (DType::Utf8, Arc::new(StringArray::from(vec!["a 1"]))),
        _ => (DType::Float64, Arc::new(Float64Array::from(vec![1.0]))),
    };
    let input = Schema::new(vec![Field::new("x", dtype)]);
    let row = RecordBatch::try_new(arrow_schema(&input), vec![column])?;
    let image = PluginImage { digest: Digest::of(&wasm), label: descriptor.name };
    let config = serde_json::from_str(config)?;
    let binding = Binding { image, config, input, target: None, limits: PluginLimits::default() };

    let mut starts = Vec::with_capacity(STARTS);
    for _ in 0..STARTS {
        // Nothing holds on to the last one, so that each is a new instance.
        let started = Instant::now();
        host.transformer(&binding, None)?.transform(&row)?;
        starts.push(started.elapsed());
    }
    print("instantiate, configure and first call of 1 row", starts);
    let transformer = host.transformer(&binding, None)?;
    let mut calls = Vec::with_capacity(WARM_CALLS);
    for _ in 0..WARM_CALLS {
        let started = Instant::now();
        transformer.transform(&row)?;
        calls.push(started.elapsed());
    }
    print("warm call of 1 row", calls);
    Ok(())
}

fn print(what: &str, mut times: Vec<Duration>) {
    times.sort();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!("{what}: p50 {p50:?}, p99 {p99:?}");
}
