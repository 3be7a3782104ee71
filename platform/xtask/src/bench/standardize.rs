//! Runs the plugin host's own measurements, which print their figures themselves.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Built together with the server, so that both share every dependency's features and nothing is compiled twice.
const BUILD: [&str; 9] =
    ["build", "--release", "--package", "tiegel-server", "--bin", "tiegel", "--package", "tiegel-wasm", "--example"];

/// The plugin host's examples that measure it.
pub const STANDARDIZE: &str = "bench_standardize";
pub const PLUGINS: &str = "bench_plugins";

pub fn measure(workspace: &Workspace, example: &str) -> Result<()> {
    let mut build = Command::new("cargo");
    run(build.args(BUILD).arg(example).current_dir(&workspace.root)).context("building the measurement")?;
    let target = workspace.metadata.target_directory.as_std_path();
    run(&mut Command::new(target.join("release/examples").join(example))).context("measuring the plugin host")
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot run {command:?}"))?;
    if !status.success() {
        bail!("it ended with {status}; see the messages above");
    }
    Ok(())
}
