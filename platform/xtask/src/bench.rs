//! Measurements of what the documents promise. Each prints the least, the median and the 99th percentile.

mod figures;
mod http;
mod predict;
mod server;
mod standardize;
mod startup;
mod steps;
mod tracking;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::workspace::Workspace;
use figures::Figures;

#[derive(Args)]
pub struct BenchArgs {
    /// What to measure.
    #[arg(value_enum)]
    name: Bench,
    /// The `tiegel` to measure; by default a release build made now.
    #[arg(long)]
    bin: Option<PathBuf>,
    /// predict: a running server, as HOST:PORT.
    #[arg(long, default_value = "127.0.0.1:8484")]
    server: String,
    /// predict: the endpoint to ask.
    #[arg(long, default_value = "flights-delay")]
    endpoint: String,
    /// predict: the table whose rows are sent.
    #[arg(long, default_value = "features.joined")]
    rows_of: String,
    /// predict: requests to send, one at a time.
    #[arg(long, default_value_t = 5_000)]
    requests: usize,
    #[command(flatten)]
    tracking: tracking::TrackingArgs,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Bench {
    /// Time until an empty server is ready, and its memory when idle.
    Startup,
    /// Time of a single-row prediction over one kept connection.
    Predict,
    /// Cost of a cached step, and of a Wasm step over one row with a warm plugin.
    Steps,
    /// `standardize` over a million values through the plugin host, against native code.
    Standardize,
    /// What plugins cost against what they may: rows, calls, starts, deadlines. Not part of `all`.
    Plugins,
    /// Tracking and artifacts over the MLflow API, against MLflow's own server. Minutes; not part of `all`.
    Tracking,
    All,
}

pub fn run(workspace: &Workspace, args: &BenchArgs) -> Result<bool> {
    let is_asked = |bench| args.name == bench || args.name == Bench::All;
    let mut rows: Vec<Figures> = Vec::new();
    if is_asked(Bench::Startup) || is_asked(Bench::Predict) || is_asked(Bench::Steps) {
        let bin = args.bin.clone().map_or_else(|| workspace.build_server("release"), Ok)?;
        if is_asked(Bench::Startup) {
            rows.extend(startup::measure(&bin)?);
        }
        if is_asked(Bench::Predict) {
            rows.push(predict::measure(&workspace.root, &bin, args)?);
        }
        if is_asked(Bench::Steps) {
            rows.extend(steps::measure(&workspace.root, &bin)?);
        }
    }
    if args.name == Bench::Tracking {
        let bin = args.bin.clone().map_or_else(|| workspace.build_server("release"), Ok)?;
        return tracking::measure(&bin, &args.tracking);
    }
    if args.name == Bench::Plugins {
        standardize::measure(workspace, standardize::PLUGINS)?;
    }
    if is_asked(Bench::Standardize) {
        standardize::measure(workspace, standardize::STANDARDIZE)?;
    }
    if !rows.is_empty() {
        print!("{}", figures::table(&rows));
    }
    Ok(true)
}
