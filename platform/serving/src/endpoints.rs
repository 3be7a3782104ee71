use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::RwLock;
use serde::Serialize;
use serde_json::Value;
use tiegel_context::{OpError, OpResult};
use tiegel_telemetry::Metrics;
use tiegel_types::{Digest, EndpointState, Name, Task};
use tracing::Instrument;

use crate::decode::{Input, PredictRequest};
use crate::executor::Executor;
use crate::loaded::LoadedBundle;

/// The endpoints of this server: what answers now, and where each stands. A clone is another handle on the same.
///
/// Invariant: a request keeps the version it started on, so a switch drops none.
#[derive(Clone)]
pub struct Endpoints {
    entries: Arc<RwLock<HashMap<Name, Entry>>>,
    metrics: Arc<Metrics>,
}

/// One declared endpoint.
#[derive(Clone)]
pub struct Entry {
    pub project: Name,
    pub state: EndpointState,
    /// Why it is not ready, or why the newest version does not serve.
    pub message: Option<String>,
    pub live: Option<Arc<Live>>,
}

/// A version that answers requests.
pub struct Live {
    pub served: Served,
    loaded: Arc<LoadedBundle>,
    executor: Arc<Executor>,
    metrics: Arc<Metrics>,
}

/// What a version is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    pub endpoint: Name,
    pub model: Name,
    pub version: u32,
}

/// Predictions, and what made them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    pub endpoint: Name,
    pub model: Name,
    pub version: u32,
    pub bundle: Digest,
    pub task: Task,
    /// One a row, in the order of the rows: the probability of true for `binary`.
    pub predictions: Vec<f64>,
}

/// Why an endpoint cannot answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    #[error("there is no endpoint '{0}'")]
    Unknown(String),
    #[error("endpoint '{endpoint}' is not ready: {reason}")]
    NotReady { endpoint: String, reason: String },
}

impl From<Absent> for OpError {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::Unknown(_) => OpError::NotFound(absent.to_string()),
            Absent::NotReady { .. } => OpError::Busy(absent.to_string()),
        }
    }
}

impl Endpoints {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { entries: Arc::default(), metrics }
    }

    /// Predicts rows on the version that is live now.
    ///
    /// # Errors
    /// `NotFound` for an unknown endpoint; `Busy` for one that is not ready, or whose queue is full; `Invalid` names the row
    /// and column that are wrong.
    pub async fn predict(&self, name: &str, input: Input) -> OpResult<Prediction> {
        self.live(name)?.predict(input).await
    }

    /// [`Self::predict`] for the native route's body.
    pub async fn predict_json(&self, name: &str, body: Value) -> OpResult<Prediction> {
        let live = self.live(name)?;
        let request: PredictRequest = serde_json::from_value(body).map_err(|e| {
            OpError::invalid(
                "invalid_rows",
                format!("the body is not {{\"rows\": [{{\"column\": value, …}}, …]}}: {e}"),
            )
        })?;
        live.predict(Input::Rows(request.rows)).await
    }

    pub fn live(&self, name: &str) -> Result<Arc<Live>, Absent> {
        let entries = self.entries.read();
        let entry = entries.get(name).ok_or_else(|| Absent::Unknown(name.to_owned()))?;
        entry.live.clone().ok_or_else(|| {
            let reason = entry.message.clone().unwrap_or_else(|| format!("it is {}", entry.state));
            Absent::NotReady { endpoint: name.to_owned(), reason }
        })
    }

    /// All endpoints by name.
    pub fn list(&self) -> Vec<(Name, Entry)> {
        let mut all: Vec<_> = self.entries.read().iter().map(|(name, entry)| (name.clone(), entry.clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    pub(crate) fn entry(&self, name: &Name) -> Option<Entry> {
        self.entries.read().get(name).cloned()
    }

    /// The old version, if it is another, goes when its last request is answered.
    pub(crate) fn put(&self, name: Name, entry: Entry) {
        let old = self.entries.write().insert(name, entry);
        // Dropped only now, outside the lock: it may be the last handle on an executor.
        drop(old);
    }

    pub(crate) fn remove(&self, name: &Name) {
        let old = self.entries.write().remove(name);
        drop(old);
    }
}

impl Live {
    /// Starts the version's thread.
    pub(crate) fn start(served: Served, loaded: Arc<LoadedBundle>, endpoints: &Endpoints) -> OpResult<Self> {
        let worker = loaded.clone();
        let executor = Executor::start(served.endpoint.as_str(), Box::new(move |input| worker.answer(input)))?;
        Ok(Self { served, loaded, executor: Arc::new(executor), metrics: endpoints.metrics.clone() })
    }

    /// The same running bundle under the name of another version that points at it.
    pub(crate) fn renamed(&self, served: Served) -> Self {
        Self { served, loaded: self.loaded.clone(), executor: self.executor.clone(), metrics: self.metrics.clone() }
    }

    pub fn loaded(&self) -> &LoadedBundle {
        &self.loaded
    }

    /// Requests that wait or run.
    pub fn waiting(&self) -> usize {
        self.executor.waiting()
    }

    /// See [`Endpoints::predict`].
    pub async fn predict(&self, input: Input) -> OpResult<Prediction> {
        let (started, rows) = (Instant::now(), input.rows());
        let Served { endpoint, model, version } = &self.served;
        let span = tracing::info_span!("endpoint.predict", %endpoint, version, rows);
        let metered = |waiting: usize| self.metrics.set_waiting_predicts(endpoint.as_str(), waiting as i64);
        metered(self.waiting() + 1);
        let answer = self.executor.run(input).instrument(span).await;
        metered(self.waiting());
        let predictions = answer.inspect_err(|_| self.metrics.predict_failed(endpoint.as_str()))?;
        self.metrics.batch_predicted(endpoint.as_str(), rows as u64);
        self.metrics.predicted(endpoint.as_str(), rows as u64, started.elapsed().as_secs_f64());
        Ok(Prediction {
            endpoint: endpoint.clone(),
            model: model.clone(),
            version: *version,
            bundle: self.loaded.digest(),
            task: self.loaded.bundle().model.task,
            predictions,
        })
    }
}

#[cfg(test)]
mod tests;
