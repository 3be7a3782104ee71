//! Removes for good what was deleted long enough ago, and the blobs that nothing names any more.
//!
//! Invariants: what is active, or was restored, is never touched, nor are files that a registered version or an active
//! logged model stands on. A blob goes only if one look at the whole database found no row that names it, and nobody
//! stored it for the blob store's grace period. An interrupted pass is completed by the next one.

mod age;
mod deleted;
mod kept;
mod reconciler;
mod sweep;

use serde::Serialize;
use tiegel_artifacts::Artifacts;
use tiegel_context::OpResult;
use tokio::sync::Mutex;

pub use age::Age;
pub use reconciler::{GcReconciler, Retention};

use kept::Kept;

/// What one pass shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// What was deleted this long ago goes; nothing goes where it is not set.
    pub older_than: Option<Age>,
    /// Only tells what would go.
    pub dry_run: bool,
}

/// What a pass removed, or would remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    pub runs: u64,
    pub experiments: u64,
    pub logged_models: u64,
    /// Of the experiments.
    pub traces: u64,
    /// Files of all these, by name. The same bytes may have other names.
    pub files: u64,
    /// Uploads in parts that were not completed.
    pub uploads: u64,
    /// Stored contents that nothing names any more.
    pub blobs: u64,
    /// Of the blobs.
    pub bytes: u64,
}

/// Collects; one pass at a time.
pub struct Collector {
    artifacts: Artifacts,
    passing: Mutex<()>,
}

impl Collector {
    pub fn new(artifacts: Artifacts) -> Self {
        Self { artifacts, passing: Mutex::default() }
    }

    #[tracing::instrument(name = "gc.collect", skip_all, fields(dry_run = pass.dry_run))]
    pub async fn collect(&self, pass: Pass) -> OpResult<Collected> {
        let _alone = self.passing.lock().await;
        let ctx = self.artifacts.ctx();
        let mut collected = Collected::default();
        let until_ms = pass.older_than.map(|age| age.before(ctx.now_ms()));
        if pass.dry_run {
            let trees = match until_ms {
                Some(until_ms) => self.count_deleted(until_ms, &mut collected).await?,
                None => Vec::new(),
            };
            let kept = Kept::read(&ctx.store).await?;
            self.count_unnamed((&trees, &kept), &mut collected).await?;
            return Ok(collected);
        }
        if let Some(until_ms) = until_ms {
            self.remove_deleted(until_ms, &mut collected).await?;
        }
        self.remove_leftovers(&mut collected).await?;
        self.sweep_uploads(&mut collected).await?;
        self.sweep_blobs(&mut collected).await?;
        Ok(collected)
    }
}

#[cfg(test)]
mod tests;
