use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};

pub const KEYS: [&str; 4] = ["loss", "accuracy", "lr", "time"];
const PAUSE: Duration = Duration::from_millis(20);
/// A server that was killed answers nothing; one that is starting refuses.
const ANSWER_SECONDS_MAX: u64 = 10;

/// What one client sent, and what was acknowledged.
pub struct Ledger {
    pub run_id: String,
    pub unanswered_creates: usize,
    /// The step of each batch, and whether it was acknowledged.
    pub batches: Vec<(i64, bool)>,
}

pub struct Client {
    http: reqwest::Client,
    url: String,
    experiment: String,
    seed: u64,
    stop: Arc<AtomicBool>,
}

impl Client {
    pub fn new(url: &str, experiment: &str, seed: u64, stop: Arc<AtomicBool>) -> Self {
        let http = reqwest::Client::builder().timeout(Duration::from_secs(ANSWER_SECONDS_MAX)).build().unwrap();
        Self { http, url: url.to_owned(), experiment: experiment.to_owned(), seed, stop }
    }

    /// Logs batch after batch to one run until told to stop. Every other batch that was not answered is sent again
    /// until it is, the others are left as they are.
    pub async fn work(self) -> Ledger {
        let (run_id, unanswered_creates) = self.create().await;
        let mut batches = Vec::new();
        let mut step = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let body = batch(&run_id, step);
            let mut acknowledged = self.post("runs/log-batch", &body).await.is_some();
            while !acknowledged && (step + self.seed as i64) % 2 == 0 {
                tokio::time::sleep(PAUSE).await;
                acknowledged = self.post("runs/log-batch", &body).await.is_some();
            }
            batches.push((step, acknowledged));
            step += 1;
            tokio::time::sleep(if acknowledged { Duration::from_millis(self.seed % 7) } else { PAUSE }).await;
        }
        Ledger { run_id, unanswered_creates, batches }
    }

    async fn create(&self) -> (String, usize) {
        let body = json!({ "experiment_id": self.experiment, "start_time": 1 });
        let mut unanswered = 0;
        loop {
            if let Some(answer) = self.post("runs/create", &body).await {
                return (answer["run"]["info"]["run_id"].as_str().unwrap().to_owned(), unanswered);
            }
            unanswered += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// None where the server did not answer; any answer but success is a failure of the test.
    async fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let request = self.http.post(format!("{}/api/2.0/mlflow/{path}", self.url)).json(body);
        let response = request.send().await.ok()?;
        let status = response.status();
        let text = response.text().await.ok()?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        Some(serde_json::from_str(&text).unwrap())
    }
}

fn batch(run_id: &str, step: i64) -> Value {
    let metric = |key: &&str| json!({ "key": key, "value": value(key, step), "timestamp": step, "step": step });
    json!({
        "run_id": run_id,
        "metrics": KEYS.iter().map(metric).collect::<Vec<_>>(),
        "params": [{ "key": format!("p{step}"), "value": "x" }],
        "tags": [{ "key": "step", "value": step.to_string() }],
    })
}

/// The value that a metric has in a step.
pub fn value(key: &str, step: i64) -> f64 {
    (step * 10) as f64 + key.len() as f64 / 4.0
}
