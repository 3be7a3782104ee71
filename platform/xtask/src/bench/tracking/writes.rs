use anyhow::Result;
use serde_json::{Value, json};

use super::Plan;
use super::load::{many, one};
use super::peer::Server;
use super::seed::{experiment, pseudo, run};
use super::table::Figure;

const REQUESTS: usize = 2_000;
const CONNECTIONS: usize = 16;
const BATCH: usize = 1_000;

/// Creating runs and logging, over one connection and over 16.
pub fn measure(server: &Server, plan: Plan) -> Result<Vec<Figure>> {
    let experiment = experiment(&mut server.connect()?, "writes")?;
    let create = json!({ "experiment_id": experiment, "start_time": 1 });
    let mut figures = each(server, plan, ("create run", "/api/2.0/mlflow/runs/create"), &|_| create.clone())?;
    // A connection of its own: MLflow's server closes those that were idle for five seconds.
    let run_id = run(&mut server.connect()?, &experiment, 1)?;
    let metric = |n| json!({ "run_id": run_id, "key": "loss", "value": 0.5, "timestamp": n, "step": n });
    figures.extend(each(server, plan, ("log-metric", "/api/2.0/mlflow/runs/log-metric"), &metric)?);
    let tag = |n: usize| json!({ "run_id": run_id, "key": "phase", "value": n.to_string() });
    figures.extend(each(server, plan, ("set-tag", "/api/2.0/mlflow/runs/set-tag"), &tag)?);
    figures.extend(batches(server, plan, &experiment)?);
    Ok(figures)
}

/// One kind of request.
fn each(
    server: &Server,
    plan: Plan,
    (label, path): (&str, &str),
    body: &(dyn Fn(usize) -> Value + Sync),
) -> Result<Vec<Figure>> {
    let mut alone = one(server, REQUESTS, plan.time, |c, n| c.request("POST", path, Some(&body(n))))?;
    let mut load = many(server, CONNECTIONS, plan.time, |c, n| c.request("POST", path, Some(&body(REQUESTS + n))))?;
    let rate = load.per_second();
    let of_many = |what: &str| format!("{label}, {CONNECTIONS} connections{what}");
    Ok(vec![
        Figure::percentile(format!("{label}, 1 connection, p50"), &mut alone.samples_ms, 50.0).at_most(1.0),
        Figure::rate(of_many(""), "/s", rate).times(30.0),
        Figure::percentile(of_many(", p99"), &mut load.samples_ms, 99.0).at_most(20.0),
    ])
}

/// The metric at a place of a batch.
type Shape<'a> = &'a dyn Fn(usize, usize) -> Value;

fn batches(server: &Server, plan: Plan, experiment: &str) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let keys = |n: usize, i: usize| json!({ "key": format!("k{i}"), "value": pseudo(n, i), "timestamp": n, "step": n });
    let steps =
        |n: usize, i: usize| json!({ "key": "k", "value": pseudo(n, i), "timestamp": n, "step": n * BATCH + i });
    let shapes: [(&str, Shape<'_>); 2] = [("1,000 keys", &keys), ("1 key", &steps)];
    for (label, metric) in shapes {
        let run_id = run(&mut server.connect()?, experiment, 1)?;
        let body =
            |n: usize| json!({ "run_id": run_id, "metrics": (0..BATCH).map(|i| metric(n, i)).collect::<Vec<_>>() });
        let path = "/api/2.0/mlflow/runs/log-batch";
        let mut load = one(server, REQUESTS, plan.time, |c, n| c.request("POST", path, Some(&body(n))))?;
        let sent: f64 = load.samples_ms.iter().sum::<f64>() / 1e3;
        let rate = (load.samples_ms.len() * BATCH) as f64 / sent;
        let label = format!("log-batch of {BATCH}, {label}");
        figures.push(Figure::percentile(format!("{label}, p50"), &mut load.samples_ms, 50.0).at_most(8.0));
        figures.push(Figure::rate(label, "metrics/s", rate).at_least(150_000.0));
    }
    Ok(figures)
}
