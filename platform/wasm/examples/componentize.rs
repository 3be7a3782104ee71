//! Wraps a core module into a component: `componentize in.wasm out.wasm`.

use std::{env, error::Error, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<String> = env::args().skip(1).collect();
    let [input, output] = paths.as_slice() else { return Err("usage: componentize IN.wasm OUT.wasm".into()) };
    fs::write(output, tiegel_wasm::componentize(&fs::read(input)?)?)?;
    Ok(())
}
