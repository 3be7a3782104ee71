//! Runs the plugin host's own measurement, which prints its figures itself.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

pub fn measure(root: &Path) -> Result<()> {
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--release", "--package", "tiegel-wasm", "--example", "bench_standardize"])
        .current_dir(root)
        .status()
        .context("cannot run cargo")?;
    if !status.success() {
        bail!("the standardize measurement failed; see the messages above");
    }
    Ok(())
}
