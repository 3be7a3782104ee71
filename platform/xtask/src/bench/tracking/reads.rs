use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Plan;
use super::load::one;
use super::peer::Server;
use super::seed::{experiment, run};
use super::table::Figure;

const REQUESTS: usize = 200;
const SEARCH: &str = "/api/2.0/mlflow/runs/search";
const BATCH: usize = 1_000;

/// At this many runs, targets are three times what they are below.
const MANY_RUNS: usize = 50_000;

/// Searching the runs of an experiment.
pub fn search(server: &Server, experiment: &str, plan: Plan) -> Result<Vec<Figure>> {
    let count = plan.runs;
    let of = |fields: Value| {
        let mut body = json!({ "experiment_ids": [experiment], "max_results": 100 });
        body.as_object_mut().into_iter().for_each(|body| body.extend(fields.as_object().cloned().unwrap_or_default()));
        body
    };
    let searches = [
        ("default order", 5.0, of(json!({}))),
        ("metric > x", 15.0, of(json!({ "filter": "metrics.m3 > 0.5" }))),
        ("metric > x, few", 15.0, of(json!({ "filter": "metrics.m3 > 0.99" }))),
        ("param = y", 15.0, of(json!({ "filter": "params.p3 = '12'" }))),
        ("param IS NULL", 15.0, of(json!({ "filter": "params.p3 IS NULL" }))),
        ("tag LIKE", 15.0, of(json!({ "filter": "tags.t1 LIKE 'value-7%'" }))),
        ("tag ILIKE, none", 15.0, of(json!({ "filter": "tags.t1 ILIKE '%NOTHING%'" }))),
        ("metric order", 15.0, of(json!({ "order_by": ["metrics.m5 DESC"] }))),
        ("name order", 15.0, of(json!({ "order_by": ["run_name ASC"] }))),
        ("metric and param", 15.0, of(json!({ "filter": "metrics.m3 > 0.5 and params.p3 = '12'" }))),
        ("1,000 runs", 60.0, of(json!({ "max_results": 1000 }))),
    ];
    let times = if count < MANY_RUNS { 1.0 } else { 3.0 };
    let mut figures = Vec::new();
    for (label, most, body) in searches {
        let mut load = one(server, REQUESTS, plan.time, |c, _| c.request("POST", SEARCH, Some(&body)))?;
        let figure = Figure::percentile(format!("search {count} runs: {label}, p50"), &mut load.samples_ms, 50.0);
        figures.push(figure.at_most(most * times));
    }
    figures.extend(pages(server, &of(json!({ "max_results": count.div_ceil(100) })), plan)?);
    Ok(figures)
}

/// The first of a hundred pages against the last.
fn pages(server: &Server, body: &Value, plan: Plan) -> Result<Vec<Figure>> {
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
        let mut load = one(server, REQUESTS, plan.time, |c, _| c.request("POST", SEARCH, Some(&body)))?;
        let label = format!("search {} runs: {label} of 100, p50", plan.runs);
        figures.push(Figure::percentile(label, &mut load.samples_ms, 50.0));
    }
    Ok(figures)
}

/// A long history: whole, a page, and sampled.
pub fn history(server: &Server, plan: Plan) -> Result<Vec<Figure>> {
    let mut connection = server.connect()?;
    let experiment = experiment(&mut connection, "history")?;
    let run_id = run(&mut connection, &experiment, 1)?;
    let count = plan.points;
    points(server, &run_id, 0..count)?;
    let whole = format!("/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key=loss");
    let sampled = format!(
        "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run_id}&metric_key=loss&max_results=320"
    );
    let reads = [
        (format!("history of {count} points"), Some(60.0), whole.clone()),
        (format!("history of {count}, a page of 1,000"), None, format!("{whole}&max_results=1000")),
        (format!("history of {count}, 320 sampled"), Some(5.0), sampled),
    ];
    let mut figures = Vec::new();
    for (label, most, path) in reads {
        let mut load = one(server, REQUESTS, plan.time, |c, _| c.request("GET", &path, None))?;
        let figure = Figure::percentile(format!("{label}, p50"), &mut load.samples_ms, 50.0);
        figures.push(match most {
            Some(most) => figure.at_most(most),
            None => figure,
        });
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
