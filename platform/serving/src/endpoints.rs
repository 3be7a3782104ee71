use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Serialize;
use serde_json::Value;
use tiegel_context::{OpError, OpResult};
use tiegel_types::{Digest, EndpointState, Name, Task};
use tracing::Instrument;

use crate::decode::{Input, PredictRequest};
use crate::executor::Executor;
use crate::loaded::LoadedBundle;

/// The endpoints of this server: what answers now, and where each stands. A clone is another handle on the same.
///
/// Invariant: a request keeps the version it started on, so a switch drops none.
#[derive(Clone, Default)]
pub struct Endpoints(Arc<RwLock<HashMap<Name, Entry>>>);

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
    pub endpoint: Name,
    pub model: Name,
    pub version: u32,
    loaded: Arc<LoadedBundle>,
    executor: Arc<Executor>,
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
            OpError::invalid("invalid_rows", format!("the body is not {{\"rows\": [{{\"column\": value, …}}, …]}}: {e}"))
        })?;
        live.predict(Input::Rows(request.rows)).await
    }

    pub fn live(&self, name: &str) -> Result<Arc<Live>, Absent> {
        let entries = self.0.read();
        let entry = entries.get(name).ok_or_else(|| Absent::Unknown(name.to_owned()))?;
        entry.live.clone().ok_or_else(|| {
            let reason = entry.message.clone().unwrap_or_else(|| format!("it is {}", entry.state));
            Absent::NotReady { endpoint: name.to_owned(), reason }
        })
    }

    /// All endpoints by name.
    pub fn list(&self) -> Vec<(Name, Entry)> {
        let mut all: Vec<_> = self.0.read().iter().map(|(name, entry)| (name.clone(), entry.clone())).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    pub(crate) fn entry(&self, name: &Name) -> Option<Entry> {
        self.0.read().get(name).cloned()
    }

    /// The old version, if it is another, goes when its last request is answered.
    pub(crate) fn put(&self, name: Name, entry: Entry) {
        let old = self.0.write().insert(name, entry);
        // Dropped only now, outside the lock: it may be the last handle on an executor.
        drop(old);
    }

    pub(crate) fn remove(&self, name: &Name) {
        let old = self.0.write().remove(name);
        drop(old);
    }
}

impl Live {
    /// Starts the version's thread.
    pub fn start(endpoint: Name, model: Name, version: u32, loaded: Arc<LoadedBundle>) -> OpResult<Self> {
        let worker = loaded.clone();
        let executor = Executor::start(endpoint.as_str(), Box::new(move |input| worker.answer(input)))?;
        Ok(Self { endpoint, model, version, loaded, executor: Arc::new(executor) })
    }

    /// The same running bundle under the number of another version that points at it.
    pub(crate) fn renumbered(&self, model: Name, version: u32) -> Self {
        let (endpoint, loaded, executor) = (self.endpoint.clone(), self.loaded.clone(), self.executor.clone());
        Self { endpoint, model, version, loaded, executor }
    }

    pub fn loaded(&self) -> &LoadedBundle {
        &self.loaded
    }

    pub async fn predict(&self, input: Input) -> OpResult<Prediction> {
        let span = tracing::info_span!(
            "endpoint.predict",
            endpoint = %self.endpoint,
            version = self.version,
            rows = input.rows()
        );
        let predictions = self.executor.run(input).instrument(span).await?;
        Ok(Prediction {
            endpoint: self.endpoint.clone(),
            model: self.model.clone(),
            version: self.version,
            bundle: self.loaded.digest(),
            task: self.loaded.bundle().model.task,
            predictions,
        })
    }
}
