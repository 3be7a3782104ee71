//! What every domain operation is given: the store, the blobs, the clock, the engines.
//!
//! Invariant: the engines are known by their traits alone, so nothing here or above rebuilds with DataFusion, wasmtime or
//! candle. CPU work of more than 500 us leaves the async executor through [`Context::blocking`].

mod error;
mod plugin;
mod table;
#[cfg(feature = "testing")]
pub mod testing;

use std::sync::{Arc, Mutex};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::RngCore;
use tiegel_blobs::Blobs;
use tiegel_engine::{ModelEngine, PluginHost, PluginLimits, TableEngine};
use tiegel_jobs::{Clock, Wake};
use tiegel_signing::Trust;
use tiegel_store::Store;
use tiegel_telemetry::Metrics;
use tiegel_types::{JobId, RunId};
use uuid::{Builder, Uuid};

pub use error::{OpError, OpResult};
pub use plugin::PluginUpload;
pub use table::Scratch;
pub use tiegel_blobs::BlobError;

pub type Ctx = Arc<Context>;

pub struct Context {
    pub store: Store,
    pub blobs: Blobs,
    pub clock: Arc<dyn Clock>,
    pub tables: Arc<dyn TableEngine>,
    pub plugins: Arc<dyn PluginHost>,
    pub models: Arc<dyn ModelEngine>,
    pub metrics: Arc<Metrics>,
    /// What one plugin call in a pipeline may take.
    pub plugin_limits: PluginLimits,
    /// Whose plugins are taken.
    pub trust: Trust,
    /// Wakes the job runner after a job was queued.
    pub wake: Wake,
    /// The one source of randomness for ids.
    pub rng: Mutex<ChaCha20Rng>,
}

impl Context {
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    pub fn new_job_id(&self) -> JobId {
        JobId::from_uuid(Builder::from_unix_timestamp_millis(self.now_ms().max(0) as u64, &self.random()).into_uuid())
    }

    pub fn new_run_id(&self) -> RunId {
        RunId::from_uuid(self.new_uuid())
    }

    pub fn new_uuid(&self) -> Uuid {
        Builder::from_random_bytes(self.random()).into_uuid()
    }

    pub fn random_number(&self) -> u64 {
        u64::from_le_bytes(self.random())
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.lock().unwrap_or_else(|e| e.into_inner()).fill_bytes(&mut bytes);
        bytes
    }

    /// Runs CPU work on a thread of its own, inside the caller's span.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> OpResult<T> {
        let span = tracing::Span::current();
        tokio::task::spawn_blocking(move || span.in_scope(work))
            .await
            .map_err(|e| OpError::internal(format!("a background computation ended without an answer: {e}")))
    }
}
