use std::sync::Arc;

use async_trait::async_trait;
use tiegel_jobs::{ReconcileError, Reconciler};

use crate::{Age, Collected, Collector, Pass};

/// How long deleted things stay; for ever where it is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention(pub Option<Age>);

/// Collects in the background.
pub struct GcReconciler {
    collector: Arc<Collector>,
    retention: Retention,
}

impl GcReconciler {
    pub fn new(collector: Arc<Collector>, retention: Retention) -> Self {
        Self { collector, retention }
    }
}

#[async_trait]
impl Reconciler for GcReconciler {
    fn name(&self) -> &'static str {
        "gc"
    }

    async fn reconcile(&self) -> Result<(), ReconcileError> {
        let collected = self.collector.collect(Pass { older_than: self.retention.0, dry_run: false }).await?;
        if collected != Collected::default() {
            let Collected { runs, experiments, logged_models, traces, files, uploads, blobs, bytes } = collected;
            tracing::info!(runs, experiments, logged_models, traces, files, uploads, blobs, bytes, "collected garbage");
        }
        Ok(())
    }
}
