//! The data that searches run over: the same on each server.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::peer::Server;
use crate::bench::http::Connection;

/// Threads that fill a server.
const CONNECTIONS: usize = 8;
const METRICS: usize = 10;
const PARAMS: usize = 10;

/// Makes an experiment of `count` runs with 10 metrics, 10 params and 3 tags each; answers its id.
pub fn runs(server: &Server, count: usize) -> Result<String> {
    let experiment = experiment(&mut server.connect()?, &format!("search {count}"))?;
    std::thread::scope(|scope| {
        let fill = |part: usize| {
            let experiment = &experiment;
            move || -> Result<()> {
                let mut connection = server.connect()?;
                (part..count).step_by(CONNECTIONS).try_for_each(|number| one_run(&mut connection, experiment, number))
            }
        };
        let threads: Vec<_> = (0..CONNECTIONS).map(|part| scope.spawn(fill(part))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("filling panicked")))
    })?;
    Ok(experiment)
}

/// A new experiment; the same data behind another port may have one of this name.
pub fn experiment(connection: &mut Connection, name: &str) -> Result<String> {
    let name = format!("{name} at {}", connection.host());
    let answer = connection.json("POST", "/api/2.0/mlflow/experiments/create", Some(&json!({ "name": name })))?;
    Ok(answer["experiment_id"].as_str().context("no experiment id")?.to_owned())
}

pub fn run(connection: &mut Connection, experiment: &str, start_time: usize) -> Result<String> {
    let body = json!({ "experiment_id": experiment, "start_time": start_time });
    let answer = connection.json("POST", "/api/2.0/mlflow/runs/create", Some(&body))?;
    Ok(answer["run"]["info"]["run_id"].as_str().context("no run id")?.to_owned())
}

fn one_run(connection: &mut Connection, experiment: &str, number: usize) -> Result<()> {
    let run_id = run(connection, experiment, 1_700_000_000_000 + number)?;
    let metric =
        |key: usize| json!({ "key": format!("m{key}"), "value": pseudo(number, key), "timestamp": number, "step": 0 });
    let param = |key: usize| json!({ "key": format!("p{key}"), "value": (number * (key + 1) % 50).to_string() });
    let tag = |key: usize| json!({ "key": format!("t{key}"), "value": format!("value-{}", (number + key) % 100) });
    let body = json!({
        "run_id": run_id,
        "metrics": (0..METRICS).map(metric).collect::<Vec<Value>>(),
        "params": (0..PARAMS).map(param).collect::<Vec<Value>>(),
        "tags": (0..3).map(tag).collect::<Vec<Value>>(),
    });
    connection.json("POST", "/api/2.0/mlflow/runs/log-batch", Some(&body)).map(drop)
}

/// A number between 0 and 1 that looks random and is the same on each server.
pub fn pseudo(number: usize, key: usize) -> f64 {
    let mixed = (number as u32).wrapping_mul(2_654_435_761).wrapping_add((key as u32).wrapping_mul(40_503));
    f64::from(mixed.rotate_left(13) >> 8) / f64::from(1 << 24)
}
