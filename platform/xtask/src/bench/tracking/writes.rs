use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::load::{many, one};
use super::peer::Server;
use super::seed::{experiment, run};
use super::table::Figure;

const TIME: Duration = Duration::from_secs(5);
const REQUESTS: usize = 2_000;
const CONNECTIONS: usize = 16;
const BATCH: usize = 1_000;

/// Creating runs and logging, over one connection and over 16.
pub fn measure(server: &Server) -> Result<Vec<Figure>> {
    let mut connection = server.connect()?;
    let experiment = experiment(&mut connection, "writes")?;
    let create = json!({ "experiment_id": experiment, "start_time": 1 });
    let mut figures = Vec::new();
    let mut both = |label: &str, path: &str, body: &(dyn Fn(usize) -> Value + Sync)| -> Result<()> {
        let mut alone = one(server, REQUESTS, TIME, |c, n| c.request("POST", path, Some(&body(n))))?;
        figures.push(Figure::percentile(format!("{label}, 1 connection, p50"), &mut alone.samples_ms, 50.0));
        let mut load = many(server, CONNECTIONS, TIME, |c, n| c.request("POST", path, Some(&body(REQUESTS + n))))?;
        figures.push(Figure::rate(format!("{label}, {CONNECTIONS} connections"), "/s", load.per_second()));
        figures.push(Figure::percentile(
            format!("{label}, {CONNECTIONS} connections, p99"),
            &mut load.samples_ms,
            99.0,
        ));
        Ok(())
    };
    both("create run", "/api/2.0/mlflow/runs/create", &|_| create.clone())?;
    let run_id = run(&mut connection, &experiment, 1)?;
    both(
        "log-metric",
        "/api/2.0/mlflow/runs/log-metric",
        &|n| json!({ "run_id": run_id, "key": "loss", "value": 0.5, "timestamp": n, "step": n }),
    )?;
    both(
        "set-tag",
        "/api/2.0/mlflow/runs/set-tag",
        &|n| json!({ "run_id": run_id, "key": "phase", "value": n.to_string() }),
    )?;
    figures.extend(batches(server, &experiment)?);
    Ok(figures)
}

/// The metric at a place of a batch.
type Shape<'a> = &'a dyn Fn(usize, usize) -> Value;

fn batches(server: &Server, experiment: &str) -> Result<Vec<Figure>> {
    let mut connection = server.connect()?;
    let mut figures = Vec::new();
    let keys = |n: usize, i: usize| json!({ "key": format!("k{i}"), "value": 0.25, "timestamp": n, "step": n });
    let steps = |n: usize, i: usize| json!({ "key": "k", "value": 0.25, "timestamp": n, "step": n * BATCH + i });
    let shapes: [(&str, Shape<'_>); 2] = [("1,000 keys", &keys), ("1 key", &steps)];
    for (label, metric) in shapes {
        let run_id = run(&mut connection, experiment, 1)?;
        let body =
            |n: usize| json!({ "run_id": run_id, "metrics": (0..BATCH).map(|i| metric(n, i)).collect::<Vec<_>>() });
        let path = "/api/2.0/mlflow/runs/log-batch";
        let mut load = one(server, REQUESTS, TIME, |c, n| c.request("POST", path, Some(&body(n))))?;
        let sent: f64 = load.samples_ms.iter().sum::<f64>() / 1e3;
        let rate = (load.samples_ms.len() * BATCH) as f64 / sent;
        figures.push(Figure::percentile(format!("log-batch of {BATCH}, {label}, p50"), &mut load.samples_ms, 50.0));
        figures.push(Figure::rate(format!("log-batch of {BATCH}, {label}"), "metrics/s", rate));
    }
    Ok(figures)
}
