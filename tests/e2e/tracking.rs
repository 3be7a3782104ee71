//! Concurrent clients log over the MLflow API while the server is killed: what was acknowledged is there exactly once,
//! and no batch is there in part.

mod client;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tiegel_store::testing::fresh_postgres_url;
use tiegel_tests::{Database, Options, TestServer};

use client::{Client, Ledger};

/// Clients, seconds and seconds between kills in `make test`; `make soak` sets more.
const CLIENTS: u64 = 16;
const SECONDS: u64 = 12;
const KILL_SECONDS: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_on_sqlite() {
    survive(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_kills_on_postgres() {
    survive(Database::Postgres(fresh_postgres_url().await)).await;
}

#[expect(clippy::disallowed_methods, reason = "every client is waited for before the test ends")]
async fn survive(database: Database) {
    let expected_logs = vec!["was interrupted".to_owned()];
    let mut server = TestServer::start_with(Options { database, expected_logs, ..Options::default() }).await;
    let experiment = server.post("/api/2.0/mlflow/experiments/create", &json!({ "name": "kills" })).await;
    let experiment = experiment.body["experiment_id"].as_str().expect("an experiment id").to_owned();
    let stop = Arc::new(AtomicBool::new(false));
    let start = |seed| Client::new(&server.url, &experiment, seed, stop.clone());
    let clients: Vec<_> = (0..knob("TEST_CLIENTS", CLIENTS)).map(|seed| tokio::spawn(start(seed).work())).collect();

    let (seconds, every) = (knob("TEST_SECONDS", SECONDS), knob("TEST_KILL_SECONDS", KILL_SECONDS));
    for _ in 0..(seconds / every).max(1) {
        tokio::time::sleep(Duration::from_secs(every)).await;
        server.kill();
        server.restart().await;
    }
    stop.store(true, Ordering::Relaxed);

    let mut ledgers = Vec::new();
    for client in clients {
        ledgers.push(client.await.unwrap());
    }
    assert!(ledgers.iter().all(|ledger| ledger.batches.len() > 1), "every client logged something");
    for ledger in &ledgers {
        compare(&server, ledger).await;
    }
    count_runs(&server, &experiment, &ledgers).await;
    server.finish().await;
}

/// Each acknowledged batch is there once, each unanswered one wholly or not at all, and nothing else.
async fn compare(server: &TestServer, ledger: &Ledger) {
    let mut steps = Vec::new();
    for key in client::KEYS {
        let path = format!("/api/2.0/mlflow/metrics/get-history?run_id={}&metric_key={key}", ledger.run_id);
        let history = server.get(&path).await;
        let metrics = history.body["metrics"].as_array().unwrap_or_else(|| panic!("{}", history.text)).clone();
        let found: Vec<i64> = metrics.iter().map(|metric| metric["step"].as_i64().unwrap()).collect();
        let unique: HashSet<i64> = found.iter().copied().collect();
        assert_eq!(found.len(), unique.len(), "a point of '{key}' is there twice");
        for metric in &metrics {
            assert_eq!(metric["value"], client::value(key, metric["step"].as_i64().unwrap()));
        }
        steps.push(unique);
    }
    assert!(steps.iter().all(|other| *other == steps[0]), "a batch is there in part");
    let run = server.get(&format!("/api/2.0/mlflow/runs/get?run_id={}", ledger.run_id)).await;
    let params = run.body["run"]["data"]["params"].as_array().unwrap().iter();
    let params: HashSet<i64> = params.map(|p| p["key"].as_str().unwrap()[1..].parse().unwrap()).collect();
    assert_eq!(params, steps[0], "params and metrics of one batch part");
    for (step, acknowledged) in &ledger.batches {
        assert!(!acknowledged || steps[0].contains(step), "the acknowledged batch {step} of {} is lost", ledger.run_id);
    }
    let sent: HashSet<i64> = ledger.batches.iter().map(|(step, _)| *step).collect();
    assert!(steps[0].is_subset(&sent), "a batch that nobody sent");
}

/// An unanswered create may have left one extra run.
async fn count_runs(server: &TestServer, experiment: &str, ledgers: &[Ledger]) {
    let body = json!({ "experiment_ids": [experiment], "max_results": 50_000 });
    let answer = server.post("/api/2.0/mlflow/runs/search", &body).await;
    let found = answer.body["runs"].as_array().unwrap_or_else(|| panic!("{}", answer.text)).len();
    let known = ledgers.len();
    let unanswered: usize = ledgers.iter().map(|ledger| ledger.unanswered_creates).sum();
    assert!((known..=known + unanswered).contains(&found), "{found} runs, {known} known, {unanswered} unanswered");
}

#[expect(clippy::disallowed_methods, reason = "the knobs of the long run")]
fn knob(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
