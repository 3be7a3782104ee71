//! Tracking against MLflow's own server: the same requests, one after the other, on one machine.

mod load;
mod peer;
mod reads;
mod scale;
mod seed;
mod spans;
mod table;
mod writes;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use peer::Peer;
use table::{Figure, Table};

#[derive(Args)]
pub struct TrackingArgs {
    /// tracking: MLflow's command; without it only Tiegel is measured.
    #[arg(long, default_value = ".venv-mlflow/bin/mlflow")]
    mlflow: PathBuf,
    /// tracking: also measure MLflow with its default of four workers.
    #[arg(long)]
    four_workers: bool,
    /// tracking: runs in the searched experiment.
    #[arg(long, default_value_t = 5_000)]
    runs: usize,
    /// tracking: also 100,000 runs, 10 million points and an artifact of 2 GB, on Tiegel only.
    #[arg(long)]
    large: bool,
    /// tracking: an empty Postgres database on which Tiegel is measured too.
    #[arg(long)]
    database_url: Option<String>,
}

/// Measures each server alone, so that none takes the other's processor.
pub fn measure(bin: &Path, args: &TrackingArgs) -> Result<()> {
    let mut table = Table::default();
    table.add("tiegel", flow(&Peer::tiegel(bin, None), args, args.large)?);
    if let Some(url) = &args.database_url {
        table.add("tiegel, postgres", flow(&Peer::tiegel(bin, Some(url)), args, false)?);
    }
    if args.mlflow.exists() {
        table.add("mlflow, 1 worker", flow(&Peer::mlflow(&args.mlflow, 1), args, false)?);
        if args.four_workers {
            table.add("mlflow, 4 workers", flow(&Peer::mlflow(&args.mlflow, 4), args, false)?);
        }
    }
    print!("{}", table.text());
    Ok(())
}

fn flow(peer: &Peer, args: &TrackingArgs, is_large: bool) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let folder = tempfile::tempdir()?;
    let server = peer.start(folder.path())?;
    figures.push(Figure::least("ready, empty", "ms", server.ready_after.as_secs_f64() * 1e3));
    figures.push(Figure::least("memory, idle", "MiB", server.resident_mib()?));
    figures.extend(writes::measure(&server)?);
    let experiment = seed::runs(&server, args.runs)?;
    figures.extend(reads::search(&server, &experiment, args.runs)?);
    figures.extend(reads::history(&server)?);
    figures.extend(spans::measure(&server)?);
    figures.extend(scale::artifacts(&server, if is_large { scale::LARGE_BYTES } else { scale::SMALL_BYTES })?);
    if is_large {
        figures.extend(scale::points(&server)?);
        figures.extend(scale::runs(&server)?);
    }
    figures.push(Figure::least("memory, after all", "MiB", server.resident_mib()?));
    drop(server);
    let again = peer.start(folder.path())?;
    figures.push(Figure::least("ready, with the data", "ms", again.ready_after.as_secs_f64() * 1e3));
    Ok(figures)
}
