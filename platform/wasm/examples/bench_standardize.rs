//! What the sandbox costs, measured: run with `--release`, after `make plugins`.

#![expect(clippy::print_stdout, reason = "a command-line tool prints its result")]

use std::{error::Error, fs, path::Path};

use tiegel_wasm::{HostConfig, WasmHost, bench};

const ROWS: usize = 1_000_000;
const REPEATS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/dist/standardize.wasm");
    let wasm = fs::read(&path).map_err(|_| "plugins/dist/standardize.wasm is missing: run `make plugins` first")?;
    let cache = tempfile::tempdir()?;
    let host = WasmHost::new(&HostConfig::new(cache.path()))?;
    let result = bench::standardize(&host, &wasm, ROWS, REPEATS)?;
    println!(
        "{} float32: native {:?}, plugin {:?}, ratio {:.2}",
        result.rows,
        result.native,
        result.plugin,
        result.ratio()
    );
    println!("1 row of 10 columns: {:?} a call", result.single_row);
    Ok(())
}
