use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::load::one;
use super::peer::Server;
use super::seed::{experiment, run};
use super::table::Figure;

const TIME: Duration = Duration::from_secs(5);
const REQUESTS: usize = 200;
const SEARCH: &str = "/api/2.0/mlflow/runs/search";
const POINTS: usize = 100_000;
const BATCH: usize = 1_000;

/// Searching `count` runs.
pub fn search(server: &Server, experiment: &str, count: usize) -> Result<Vec<Figure>> {
    let of = |fields: Value| {
        let mut body = json!({ "experiment_ids": [experiment], "max_results": 100 });
        body.as_object_mut().into_iter().for_each(|body| body.extend(fields.as_object().cloned().unwrap_or_default()));
        body
    };
    let searches = [
        ("default order", of(json!({}))),
        ("metric > x", of(json!({ "filter": "metrics.m3 > 0.5" }))),
        ("metric > x, few", of(json!({ "filter": "metrics.m3 > 0.99" }))),
        ("param = y", of(json!({ "filter": "params.p3 = '12'" }))),
        ("tag LIKE", of(json!({ "filter": "tags.t1 LIKE 'value-7%'" }))),
        ("metric order", of(json!({ "order_by": ["metrics.m5 DESC"] }))),
        ("metric and param", of(json!({ "filter": "metrics.m3 > 0.5 and params.p3 = '12'" }))),
        ("1,000 runs", of(json!({ "max_results": 1000 }))),
    ];
    let mut figures = Vec::new();
    for (label, body) in searches {
        let mut load = one(server, REQUESTS, TIME, |c, _| c.request("POST", SEARCH, Some(&body)))?;
        figures.push(Figure::percentile(format!("search {count} runs: {label}, p50"), &mut load.samples_ms, 50.0));
    }
    figures.extend(pages(server, &of(json!({ "max_results": count.div_ceil(100) })), count)?);
    Ok(figures)
}

/// The first of a hundred pages against the last.
fn pages(server: &Server, body: &Value, count: usize) -> Result<Vec<Figure>> {
    let mut connection = server.connect()?;
    let mut body = body.clone();
    let mut tokens = Vec::new();
    loop {
        let answer = connection.json("POST", SEARCH, Some(&body))?;
        match answer["next_page_token"].as_str().filter(|token| !token.is_empty()) {
            Some(token) => tokens.push(token.to_owned()),
            None => break,
        }
        body["page_token"] = json!(tokens.last());
    }
    let mut figures = Vec::new();
    for (label, token) in [("page 2", tokens.first()), ("the last page", tokens.last())] {
        body["page_token"] = json!(token.context("there is only one page")?);
        let mut load = one(server, REQUESTS, TIME, |c, _| c.request("POST", SEARCH, Some(&body)))?;
        figures.push(Figure::percentile(
            format!("search {count} runs: {label} of 100, p50"),
            &mut load.samples_ms,
            50.0,
        ));
    }
    Ok(figures)
}

/// A history of 100,000 points: whole, a page, and sampled.
pub fn history(server: &Server) -> Result<Vec<Figure>> {
    let mut connection = server.connect()?;
    let experiment = experiment(&mut connection, "history")?;
    let run_id = run(&mut connection, &experiment, 1)?;
    points(server, &run_id, 0..POINTS)?;
    let whole = format!("/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=loss");
    let sampled = format!(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run_id}&metric_key=loss&max_results=320"
    );
    let reads = [
        ("history of 100,000 points", whole.clone()),
        ("history, a page of 1,000", format!("{whole}&max_results=1000")),
        ("history, 320 of 100,000", sampled),
    ];
    let mut figures = Vec::new();
    for (label, path) in reads {
        let mut load = one(server, 20, TIME, |c, _| c.request("GET", &path, None))?;
        figures.push(Figure::percentile(format!("{label}, p50"), &mut load.samples_ms, 50.0));
    }
    Ok(figures)
}

/// Logs one point a step; answers how long the server took.
pub fn points(server: &Server, run_id: &str, steps: std::ops::Range<usize>) -> Result<Duration> {
    let mut connection = server.connect()?;
    let mut took = Duration::ZERO;
    for first in steps.clone().step_by(BATCH) {
        let metric = |step: usize| json!({ "key": "loss", "value": super::seed::pseudo(step, 1), "timestamp": step, "step": step });
        let metrics: Vec<Value> = (first..steps.end.min(first + BATCH)).map(metric).collect();
        let body = json!({ "run_id": run_id, "metrics": metrics });
        let request = connection.request("POST", "/api/2.0/mlflow/runs/log-batch", Some(&body));
        let started = Instant::now();
        let response = connection.send(&request)?;
        took += started.elapsed();
        anyhow::ensure!(response.status == 200, "log-batch answered {}", response.status);
    }
    Ok(took)
}
