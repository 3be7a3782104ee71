use tiegel_context::{Ctx, OpError};
use tiegel_engine::{EpochReport, Flow, ModelError, TrainObserver};
use tiegel_store::NewCheckpoint;
use tiegel_types::{Digest, Metrics, Name, RunId};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Called with each epoch, to show progress.
pub type Progress = Box<dyn Fn(&EpochReport) + Send>;

/// Logs each epoch to the run and keeps its checkpoint.
pub struct RunObserver {
    pub ctx: Ctx,
    pub project: Name,
    pub run: RunId,
    /// The training's cache key, under which checkpoints are found again.
    pub key: Digest,
    pub runtime: Handle,
    pub cancel: CancellationToken,
    pub progress: Progress,
}

impl TrainObserver for RunObserver {
    fn epoch(&mut self, report: &EpochReport) -> Flow {
        (self.progress)(report);
        let prefix = if report.refit { "refit_" } else { "" };
        let mut metrics: Metrics = Metrics::from([
            ("train_loss".to_owned(), report.train_loss),
            ("learning_rate".to_owned(), report.learning_rate),
            ("samples_per_second".to_owned(), report.samples_per_second),
        ]);
        metrics.extend(report.validation.iter().map(|(k, v)| (format!("validation_{k}"), *v)));
        let logged = tiegel_tracking::log_metrics(&self.ctx, &self.run, prefix, i64::from(report.epoch), &metrics);
        if let Err(error) = self.runtime.block_on(logged) {
            tracing::warn!(run = %self.run, error = %error, "an epoch's metrics were not logged");
        }
        if self.cancelled() { Flow::Cancel } else { Flow::Continue }
    }

    fn checkpoint(&mut self, epoch: u32, bytes: Vec<u8>) -> Result<(), ModelError> {
        let size = bytes.len() as u64;
        let store = async {
            let digest = self.ctx.blobs.put_bytes(bytes.into()).await?;
            let new = NewCheckpoint {
                project: self.project.clone(),
                cache_key: self.key,
                epoch,
                digest,
                bytes: size,
                created_ms: self.ctx.now_ms(),
            };
            self.ctx.store.put_checkpoint(new).await?;
            Ok::<_, OpError>(())
        };
        self.runtime.block_on(store).map_err(|e| ModelError::Internal(format!("cannot keep the checkpoint: {e}")))
    }

    fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
