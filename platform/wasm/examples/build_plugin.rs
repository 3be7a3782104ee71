//! Builds a Rust plugin: `build_plugin DIR OUT.wasm`, as `tiegel plugin build` does, without the server.

#![expect(clippy::print_stdout, reason = "a command-line tool prints its result")]

use std::{env, error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = env::args().skip(1).collect();
    let [dir, out] = paths.as_slice() else { return Err("usage: build_plugin DIR OUT.wasm".into()) };
    let component = tiegel_wasm::build::build_plugin(Path::new(dir), Path::new(out))?;
    println!("{out}: {} bytes", component.len());
    Ok(())
}
