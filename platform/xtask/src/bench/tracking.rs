//! Tracking against MLflow's own server: the same requests, one after the other, on one machine.

mod load;
mod otlp;
mod peer;
mod reads;
mod scale;
mod seed;
mod spans;
mod table;
mod writes;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use peer::{Peer, Server};
use table::{Figure, Table};

#[derive(Args)]
pub struct TrackingArgs {
    /// tracking: MLflow's command; without it only Tiegel is measured.
    #[arg(long, default_value = ".venv-mlflow/bin/mlflow")]
    mlflow: PathBuf,
    /// tracking: runs in the searched experiment.
    #[arg(long, default_value_t = 5_000)]
    runs: usize,
    /// tracking: points of the history that is read.
    #[arg(long, default_value_t = 100_000)]
    points: usize,
    /// tracking: how long each kind of request is repeated at most.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// tracking: also 100,000 runs, 10 million points and an artifact of 2 GB, on Tiegel with SQLite only.
    #[arg(long)]
    large: bool,
    /// tracking: an empty Postgres database on which Tiegel is measured too.
    #[arg(long)]
    database_url: Option<String>,
}

/// How much of each kind of request.
#[derive(Clone, Copy)]
struct Plan {
    runs: usize,
    points: usize,
    time: Duration,
    large: bool,
}

/// What is measured of one server.
struct Bench {
    label: &'static str,
    figures: Vec<Figure>,
    complete: bool,
}

/// Measures each server alone, so that none takes the other's processor. Answers whether everything could be measured.
pub fn measure(bin: &Path, args: &TrackingArgs) -> Result<bool> {
    let time = Duration::try_from_secs_f64(args.seconds)?;
    let plan = Plan { runs: args.runs.max(2), points: args.points, time, large: args.large };
    let mut measured = vec![alone("tiegel", &Peer::tiegel(bin, None), plan)];
    let plan = Plan { large: false, ..plan };
    if let Some(url) = &args.database_url {
        measured.push(alone("tiegel, postgres", &Peer::tiegel(bin, Some(url)), plan));
    }
    if args.mlflow.exists() {
        measured.extend(mlflow(&args.mlflow, plan)?);
    } else {
        eprintln!("there is no {}: only Tiegel is measured; `.ci/setup mlflow` makes it", args.mlflow.display());
    }
    let complete = measured.iter().all(|bench| bench.complete);
    let mut table = Table::default();
    measured.into_iter().for_each(|bench| table.add(bench.label, bench.figures));
    print!("{}", table.text());
    Ok(complete)
}

fn alone(label: &'static str, peer: &Peer, plan: Plan) -> Bench {
    Bench::of(label, |bench| {
        let folder = tempfile::tempdir()?;
        let server = bench.start_empty(peer, folder.path())?;
        bench.loads(&server, plan, None);
        drop(server);
        bench.start_filled(peer, folder.path()).map(drop)
    })
}

/// With one worker, and with its default of four over the runs of the first: making them takes minutes.
fn mlflow(bin: &Path, plan: Plan) -> Result<[Bench; 2]> {
    let folder = tempfile::tempdir()?;
    let (one, four) = (Peer::mlflow(bin, 1), Peer::mlflow(bin, 4));
    let mut searched = None;
    let first = Bench::of("mlflow, 1 worker", |bench| {
        let server = bench.start_empty(&one, folder.path())?;
        searched = bench.loads(&server, plan, None);
        drop(server);
        bench.start_filled(&one, folder.path()).map(drop)
    });
    let second = Bench::of("mlflow, 4 workers", |bench| {
        drop(bench.start_empty(&four, tempfile::tempdir()?.path())?);
        let server = bench.start_filled(&four, folder.path())?;
        bench.loads(&server, plan, searched);
        Ok(())
    });
    Ok([first, second])
}

impl Bench {
    /// What fails is missing in the table, and the other servers are measured all the same.
    fn of(label: &'static str, measure: impl FnOnce(&mut Self) -> Result<()>) -> Self {
        let mut bench = Self { label, figures: Vec::new(), complete: true };
        if let Err(error) = measure(&mut bench) {
            eprintln!("{label}: {error:#}");
            bench.complete = false;
        }
        bench
    }

    fn start_empty(&mut self, peer: &Peer, folder: &Path) -> Result<Server> {
        let server = peer.start(folder)?;
        let ready = server.ready_after.as_secs_f64() * 1e3;
        self.figures.push(Figure::least("ready, empty", "ms", ready).at_most(100.0));
        std::thread::sleep(peer::SETTLE);
        self.figures.push(Figure::least("memory, idle", "MiB", server.resident_mib()?).at_most(40.0));
        Ok(server)
    }

    fn start_filled(&mut self, peer: &Peer, folder: &Path) -> Result<Server> {
        let server = peer.start(folder)?;
        let ready = server.ready_after.as_secs_f64() * 1e3;
        self.figures.push(Figure::least("ready, with all the data", "ms", ready).at_most(500.0));
        Ok(server)
    }

    /// All requests. Runs to search in are made unless there is an experiment with them; answers that experiment.
    fn loads(&mut self, server: &Server, plan: Plan, searched: Option<String>) -> Option<String> {
        self.group("writing", || writes::measure(server, plan));
        let mut experiment = searched;
        self.group("searching", || {
            let made = match &experiment {
                Some(made) => made.clone(),
                None => seed::runs(server, plan.runs)?,
            };
            experiment = Some(made.clone());
            reads::search(server, &made, plan)
        });
        self.group("histories", || reads::history(server, plan));
        self.group("spans", || spans::measure(server, plan));
        self.group("artifacts", || scale::artifacts(server, plan));
        if plan.large {
            self.group("10 million points", || scale::points(server, plan));
            self.group("100,000 runs", || scale::runs(server, plan));
        }
        self.group("memory", || {
            Ok(vec![Figure::least("memory, after all", "MiB", server.resident_mib()?).at_most(150.0)])
        });
        experiment
    }

    /// What fails is missing in the table, and the rest goes on.
    fn group(&mut self, what: &str, measure: impl FnOnce() -> Result<Vec<Figure>>) {
        eprintln!("{}: {what}", self.label);
        match measure() {
            Ok(figures) => self.figures.extend(figures),
            Err(error) => {
                eprintln!("{}: {what} failed: {error:#}", self.label);
                self.complete = false;
            }
        }
    }
}
