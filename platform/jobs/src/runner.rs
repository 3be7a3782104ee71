use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tiegel_store::{JobRow, Store};
use tiegel_types::limits;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::Attempt;
use crate::{Clock, Wake};

/// Milliseconds between two looks at the queue while nobody wakes the runner.
const POLL_MS: u64 = 500;
/// Milliseconds that a task gets to end once it was aborted.
const ABORT_MS_MAX: u64 = 1_000;

/// What a job does.
#[async_trait]
pub trait JobHandler: Send + Sync {
    /// Runs a job, maybe not for the first time. When `cancel` fires it should answer [`JobOutcome::Cancelled`] or
    /// [`JobOutcome::Interrupted`] soon; either will do, for the runner knows why: the job's own `cancel_requested`
    /// ends it, a shutdown puts it back in the queue. A panic fails the job.
    async fn run(&self, job: JobRow, cancel: CancellationToken) -> JobOutcome;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobOutcome {
    Succeeded,
    Failed(String),
    Cancelled,
    /// Stopped where it can go on later: the job goes back to the queue.
    Interrupted,
}

/// Runs the queue's jobs on this node.
pub struct JobRunner {
    pub store: Store,
    /// The node: the same after a restart, different from every other node's.
    pub owner: String,
    pub clock: Arc<dyn Clock>,
    pub handler: Arc<dyn JobHandler>,
    /// Jobs at the same time.
    pub workers: usize,
}

impl JobRunner {
    /// Starts to claim jobs. Before the first start of a process, [`Store::release_owned`] hands back what this owner
    /// ran when it was killed.
    pub fn start(self, wake: &Wake) -> RunnerHandle {
        self.start_with(wake, Timing::default())
    }

    pub(crate) fn start_with(self, wake: &Wake, timing: Timing) -> RunnerHandle {
        let slots = Arc::new(Semaphore::new(self.workers));
        let (stop, kill, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let node = Node {
            runner: self,
            timing,
            stop: stop.clone(),
            interrupt: CancellationToken::new(),
            kill: kill.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(claim_jobs(Arc::new(node), slots, wake.clone()));
        RunnerHandle { stop, kill, tasks }
    }
}

/// A runner under way. Dropping it stops the claiming and interrupts the jobs, without waiting for them.
#[must_use = "dropping the handle stops the runner"]
pub struct RunnerHandle {
    stop: CancellationToken,
    kill: CancellationToken,
    tasks: TaskTracker,
}

impl RunnerHandle {
    /// Interrupts what runs and waits for it, at most for `limit`; then aborts the rest. All of it is back in the queue.
    /// Answers whether everything ended by itself.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(limit, self.tasks.wait()).await.is_ok() {
            return true;
        }
        tracing::warn!(limit_ms = limit.as_millis() as u64, "jobs did not stop in time and are aborted");
        self.kill.cancel();
        let aborted = tokio::time::timeout(Duration::from_millis(ABORT_MS_MAX), self.tasks.wait()).await;
        if aborted.is_err() {
            tracing::error!(tasks = self.tasks.len(), "a job blocks its thread and could not be aborted");
        }
        false
    }
}

impl Drop for RunnerHandle {
    fn drop(&mut self) {
        self.stop.cancel();
        self.tasks.close();
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub lease: Duration,
    pub poll: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { lease: Duration::from_millis(limits::LEASE_MS), poll: Duration::from_millis(POLL_MS) }
    }
}

/// What the tasks of one runner share.
pub(crate) struct Node {
    pub runner: JobRunner,
    pub timing: Timing,
    /// Fires at shutdown: claim no more.
    pub stop: CancellationToken,
    /// Fires once no claim is under way, so that no job is claimed again after it was put back.
    pub interrupt: CancellationToken,
    /// Fires when the shutdown's limit has passed.
    pub kill: CancellationToken,
    pub tasks: TaskTracker,
}

impl Node {
    pub fn lease_ms(&self) -> i64 {
        i64::try_from(self.timing.lease.as_millis()).unwrap_or(i64::MAX)
    }

    pub fn now_ms(&self) -> i64 {
        self.runner.clock.now_ms()
    }
}

async fn claim_jobs(node: Arc<Node>, slots: Arc<Semaphore>, wake: Wake) {
    let _interrupt_when_this_ends = node.interrupt.clone().drop_guard();
    let mut wakes = wake.listen();
    let mut queue_was_readable = true;
    loop {
        let slot = tokio::select! {
            biased;
            () = node.stop.cancelled() => return,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        // The semaphore is never closed.
        let Ok(slot) = slot else { return };
        // Seen from here on: a wake during the claim makes the wait below return at once.
        wakes.mark_unchanged();
        let runner = &node.runner;
        match runner.store.claim(&runner.owner, node.now_ms(), node.lease_ms()).await {
            Ok(Some(job)) => {
                queue_was_readable = true;
                let attempt = Attempt::new(Arc::clone(&node), job, wake.listen());
                node.tasks.spawn(async move {
                    attempt.run().await;
                    drop(slot);
                });
                continue;
            }
            Ok(None) => queue_was_readable = true,
            Err(error) => {
                // Once until it works again, not twice a second.
                if queue_was_readable {
                    tracing::error!(%error, "cannot read the job queue; trying on");
                }
                queue_was_readable = false;
            }
        }
        drop(slot);
        if !wait(&node, &mut wakes).await {
            return;
        }
    }
}

/// Waits for a wake or the next poll; false at shutdown.
async fn wait(node: &Node, wakes: &mut watch::Receiver<u64>) -> bool {
    tokio::select! {
        biased;
        () = node.stop.cancelled() => false,
        // The sender lives as long as this task's `Wake`.
        _ = wakes.changed() => true,
        () = tokio::time::sleep(node.timing.poll) => true,
    }
}

#[cfg(test)]
mod tests;
