//! Runs the plugin host's own measurement, which prints its figures itself.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Built together with the server, so that both share every dependency's features and nothing is compiled twice.
const BUILD: [&str; 10] = [
    "build",
    "--release",
    "--package",
    "tiegel-server",
    "--bin",
    "tiegel",
    "--package",
    "tiegel-wasm",
    "--example",
    "bench_standardize",
];

pub fn measure(workspace: &Workspace) -> Result<()> {
    let mut build = Command::new("cargo");
    run(build.args(BUILD).current_dir(&workspace.root)).context("building the standardize measurement")?;
    let target = workspace.metadata.target_directory.as_std_path();
    run(&mut Command::new(target.join("release/examples/bench_standardize"))).context("measuring standardize")
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("it ended with {status}; see the messages above");
    }
    Ok(())
}
