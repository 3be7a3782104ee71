//! One attempt at one job: the handler in a task of its own, its lease renewed beside it, its outcome written once.

use std::sync::Arc;
use std::time::Duration;

use tiegel_store::{JobRow, StoreError};
use tiegel_types::JobState;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::JobOutcome;
use crate::runner::Node;

/// Tries to write an outcome; after the last one the lease runs out and the job runs again.
const WRITE_TRIES_MAX: u32 = 5;
const WRITE_BACKOFF_MS: u64 = 100;

pub(crate) struct Attempt {
    node: Arc<Node>,
    job: JobRow,
    wakes: watch::Receiver<u64>,
    cancel: CancellationToken,
    /// Somebody asked for the job's end.
    cancel_requested: bool,
    /// The lease is gone: the outcome is another node's to write.
    lost: bool,
    lease_until_ms: i64,
}

impl Attempt {
    pub fn new(node: Arc<Node>, job: JobRow, wakes: watch::Receiver<u64>) -> Self {
        let cancel = node.interrupt.child_token();
        let lease_until_ms = job.lease_until_ms.unwrap_or_else(|| node.now_ms() + node.lease_ms());
        Self { node, job, wakes, cancel, cancel_requested: false, lost: false, lease_until_ms }
    }

    pub async fn run(mut self) {
        if self.job.cancel_requested {
            self.cancel_requested = true;
            self.cancel.cancel();
        }
        let handler = Arc::clone(&self.node.runner.handler);
        let (job, cancel) = (self.job.clone(), self.cancel.clone());
        let work = self.node.tasks.spawn(async move { handler.run(job, cancel).await });
        let outcome = self.watch(work).await;
        if self.lost {
            tracing::warn!(job.id = %self.job.id, "the job's lease was lost; its outcome is left to the new owner");
            return;
        }
        self.write(self.verdict(outcome)).await;
    }

    /// Renews the lease until the handler ends.
    async fn watch(&mut self, mut work: JoinHandle<JobOutcome>) -> JobOutcome {
        let node = Arc::clone(&self.node);
        let mut beat = tokio::time::interval(node.timing.lease / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and the lease is fresh.
        beat.tick().await;
        loop {
            tokio::select! {
                biased;
                ended = &mut work => return ended.unwrap_or_else(outcome_of_panic),
                () = node.kill.cancelled() => {
                    work.abort();
                    return JobOutcome::Interrupted;
                }
                _ = beat.tick() => self.renew().await,
                // An error means that no `Wake` is left, in which case heartbeats alone go on.
                Ok(()) = self.wakes.changed() => self.renew().await,
            }
        }
    }

    async fn renew(&mut self) {
        if self.lost {
            return;
        }
        let (now_ms, lease_ms) = (self.node.now_ms(), self.node.lease_ms());
        let runner = &self.node.runner;
        match runner.store.heartbeat(self.job.id, &runner.owner, now_ms, lease_ms).await {
            Ok(beat) => {
                self.lost = !beat.held;
                self.cancel_requested |= beat.cancel_requested;
                self.lease_until_ms = now_ms + lease_ms;
            }
            Err(error) => {
                self.lost = self.node.now_ms() > self.lease_until_ms;
                tracing::warn!(job.id = %self.job.id, %error, lost = self.lost, "cannot renew a job's lease");
            }
        }
        if self.lost || self.cancel_requested {
            self.cancel.cancel();
        }
    }

    /// What an outcome means, given why the job was told to stop.
    fn verdict(&self, outcome: JobOutcome) -> JobOutcome {
        match outcome {
            JobOutcome::Cancelled | JobOutcome::Interrupted if self.cancel_requested => JobOutcome::Cancelled,
            JobOutcome::Cancelled if self.node.interrupt.is_cancelled() => JobOutcome::Interrupted,
            other => other,
        }
    }

    async fn write(&self, outcome: JobOutcome) {
        let mut tries = 0;
        loop {
            match self.try_write(&outcome).await {
                Ok(true) => return,
                Ok(false) => {
                    tracing::warn!(job.id = %self.job.id, "the job was taken over before its outcome was written");
                    return;
                }
                Err(error) if tries + 1 == WRITE_TRIES_MAX => {
                    tracing::error!(job.id = %self.job.id, %error, "cannot write a job's outcome; it will run again");
                    return;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(WRITE_BACKOFF_MS << tries)).await,
            }
            tries += 1;
        }
    }

    async fn try_write(&self, outcome: &JobOutcome) -> Result<bool, StoreError> {
        let (store, owner) = (&self.node.runner.store, self.node.runner.owner.as_str());
        let (state, error) = match outcome {
            JobOutcome::Interrupted => return store.requeue(self.job.id, owner).await,
            JobOutcome::Succeeded => (JobState::Succeeded, None),
            JobOutcome::Cancelled => (JobState::Cancelled, None),
            JobOutcome::Failed(why) => (JobState::Failed, Some(why.as_str())),
        };
        store.finish(self.job.id, owner, state, error, self.node.now_ms()).await
    }
}

fn outcome_of_panic(error: JoinError) -> JobOutcome {
    match error.try_into_panic() {
        Ok(panic) => JobOutcome::Failed(format!("the job panicked: {}", panic_message(panic.as_ref()))),
        // The runtime itself is going down.
        Err(_) => JobOutcome::Interrupted,
    }
}

pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
