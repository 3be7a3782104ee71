use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::panic_message;

/// The wait after a first failure; it doubles with each further one, up to the reconciler's own interval.
const BACKOFF_MS_MIN: u64 = 1_000;

pub type ReconcileError = Box<dyn std::error::Error + Send + Sync>;

/// Brings something in line with what is declared. A pass takes no input and is idempotent, so passes can be merged,
/// repeated and lost.
#[async_trait]
pub trait Reconciler: Send + Sync + 'static {
    /// For logs.
    fn name(&self) -> &'static str;

    async fn reconcile(&self) -> Result<(), ReconcileError>;
}

/// Runs a pass now, after each [`ReconcilerHandle::poke`], and at least once in every interval `every`. After an error
/// the next pass comes sooner.
pub fn start_reconciler(reconciler: Arc<dyn Reconciler>, every: Duration) -> ReconcilerHandle {
    let handle = ReconcilerHandle {
        poke: Arc::new(Notify::new()),
        stop: CancellationToken::new(),
        kill: CancellationToken::new(),
        tasks: TaskTracker::new(),
    };
    let driver = Driver { reconciler, every, handle: handle.clone(), failures: 0, last_error: String::new() };
    handle.tasks.spawn(driver.run());
    handle
}

/// A reconciler under way; it goes on when handles are dropped.
#[derive(Clone, Debug)]
pub struct ReconcilerHandle {
    poke: Arc<Notify>,
    stop: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
}

impl ReconcilerHandle {
    /// Asks for a pass soon; during one, for another after it.
    pub fn poke(&self) {
        self.poke.notify_one();
    }

    /// Waits for the pass that runs, at most for `limit`, then aborts it. Answers whether it ended by itself.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        let in_time = tokio::time::timeout(limit, self.tasks.wait()).await.is_ok();
        self.kill.cancel();
        in_time
    }
}

struct Driver {
    reconciler: Arc<dyn Reconciler>,
    every: Duration,
    handle: ReconcilerHandle,
    /// Since the last pass that succeeded.
    failures: u32,
    last_error: String,
}

impl Driver {
    async fn run(mut self) {
        while !self.handle.stop.is_cancelled() {
            let Some(result) = self.pass().await else { return };
            self.note(result);
            tokio::select! {
                biased;
                () = self.handle.stop.cancelled() => return,
                () = self.handle.poke.notified() => {}
                () = tokio::time::sleep(self.pause()) => {}
            }
        }
    }

    /// One pass, in a task of its own so that a panic ends only that; none where it was aborted.
    async fn pass(&self) -> Option<Result<(), String>> {
        let reconciler = Arc::clone(&self.reconciler);
        let mut pass = self.handle.tasks.spawn(async move { reconciler.reconcile().await });
        let ended = tokio::select! {
            ended = &mut pass => ended,
            () = self.handle.kill.cancelled() => {
                pass.abort();
                return None;
            }
        };
        match ended {
            Ok(result) => Some(result.map_err(|error| error.to_string())),
            Err(error) => {
                let panic = error.try_into_panic().ok()?;
                Some(Err(format!("it panicked: {}", panic_message(panic.as_ref()))))
            }
        }
    }

    /// Logs an error when it is new, and its end.
    fn note(&mut self, result: Result<(), String>) {
        let name = self.reconciler.name();
        match result {
            Ok(()) if self.failures == 0 => {}
            Ok(()) => {
                tracing::info!(reconciler = name, failures = self.failures, "a reconciler works again");
                self.failures = 0;
                self.last_error.clear();
            }
            Err(error) => {
                self.failures += 1;
                if error != self.last_error {
                    tracing::error!(reconciler = name, %error, "a reconciler failed; trying on");
                    self.last_error = error;
                }
            }
        }
    }

    fn pause(&self) -> Duration {
        match self.failures {
            0 => self.every,
            failures => {
                let doublings = failures.saturating_sub(1).min(16);
                Duration::from_millis(BACKOFF_MS_MIN << doublings).min(self.every)
            }
        }
    }
}

#[cfg(test)]
mod tests;
