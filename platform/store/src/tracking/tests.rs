mod direct;
mod experiments;
mod histories;
mod inputs;
mod logging;
mod migration;
mod runs;

use serde_json::json;
use tiegel_types::{Name, RunId};

use super::*;
use crate::{Store, StoreError};

fn project() -> Name {
    "flights".parse().unwrap()
}

fn run_id(name: &str) -> RunId {
    name.parse().unwrap()
}

fn new_run(run: &str, experiment_id: i64, start_ms: i64) -> NewRun {
    NewRun {
        run_id: run_id(run),
        experiment_id,
        name: "delay".to_owned(),
        user_id: "ada".to_owned(),
        start_ms,
        job_id: None,
        source: json!({ "training": "delay" }),
        tags: Vec::new(),
    }
}

/// Makes the project and the experiment where they are missing, and starts or continues a run.
async fn start(store: &Store, run: &str, experiment: &str, start_ms: i64) -> RunRow {
    store.ensure_project(&project(), 1).await.unwrap();
    let experiment_id = store.ensure_experiment(&project(), experiment, start_ms).await.unwrap().id;
    store.create_run(&Scope::All, new_run(run, experiment_id, start_ms)).await.unwrap()
}

fn pair(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

fn metric(key: &str, step: i64, timestamp_ms: i64, value: f64) -> LoggedMetric {
    LoggedMetric { key: key.to_owned(), point: Point::new(timestamp_ms, step, value), model: None }
}

fn refuse(conflicts: Vec<ParamConflict>) -> StoreError {
    let each = |c: ParamConflict| format!("{} is {} and not {}", c.key, c.old_value, c.new_value);
    StoreError::Conflict(conflicts.into_iter().map(each).collect::<Vec<_>>().join(", "))
}

async fn log(store: &Store, run: &str, metrics: Vec<LoggedMetric>) {
    let batch = Batch { metrics, ..Batch::default() };
    store.log_batch(&Scope::All, run, batch, refuse).await.unwrap();
}

async fn tags(store: &Store, run: &str) -> Vec<(String, String)> {
    let tags = store.run_data(&Scope::All, run).await.unwrap().tags;
    let mut tags: Vec<_> = tags.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    tags.sort();
    tags
}

async fn history(store: &Store, run: &str, key: &str) -> Vec<Point> {
    let query = HistoryQuery { run: run.to_owned(), key: key.to_owned(), after: None, points_max: usize::MAX };
    store.history(&Scope::All, query).await.unwrap().points
}
