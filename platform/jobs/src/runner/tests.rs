use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Instant;

use tiegel_store::NewJob;
use tiegel_store::testing::{TestDatabase, databases};
use tiegel_types::{JobId, JobState};
use uuid::Uuid;

use super::*;
use crate::SystemClock;

const SOON: Duration = Duration::from_secs(10);

/// What one job of the test handler does; its payload.
const QUICK: &str = "quick";
const PANIC: &str = "panic";
const UNTIL_CANCELLED: &str = "until cancelled";
const DEAF: &str = "deaf";
const LONG: &str = "long";

#[derive(Default)]
struct Recorder {
    runs: Mutex<BTreeMap<JobId, usize>>,
    running: AtomicUsize,
    running_max: AtomicUsize,
}

#[async_trait]
impl JobHandler for Recorder {
    async fn run(&self, job: JobRow, cancel: CancellationToken) -> JobOutcome {
        *self.runs.lock().unwrap().entry(job.id).or_default() += 1;
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.running_max.fetch_max(running, Ordering::SeqCst);
        let outcome = match job.payload.as_str().unwrap() {
            PANIC => panic!("no column '{}'", "dep_time"),
            UNTIL_CANCELLED => {
                cancel.cancelled().await;
                JobOutcome::Cancelled
            }
            DEAF => std::future::pending().await,
            LONG => {
                tokio::time::sleep(Duration::from_millis(900)).await;
                JobOutcome::Succeeded
            }
            _ => {
                tokio::time::sleep(Duration::from_millis(5)).await;
                JobOutcome::Succeeded
            }
        };
        self.running.fetch_sub(1, Ordering::SeqCst);
        outcome
    }
}

struct Bench {
    database: TestDatabase,
    handler: Arc<Recorder>,
    wake: Wake,
    timing: Timing,
    queued: AtomicI64,
}

impl Bench {
    /// Polls so rarely that only a wake explains a job that starts soon.
    fn new(database: TestDatabase) -> Self {
        let timing = Timing { lease: Duration::from_secs(15), poll: Duration::from_secs(60) };
        Self { database, handler: Arc::default(), wake: Wake::new(), timing, queued: AtomicI64::new(0) }
    }

    fn start(&self, owner: &str, workers: usize) -> RunnerHandle {
        let runner = JobRunner {
            store: self.store().clone(),
            owner: owner.to_owned(),
            clock: Arc::new(SystemClock),
            handler: self.handler.clone(),
            workers,
        };
        runner.start_with(&self.wake, self.timing)
    }

    fn store(&self) -> &Store {
        &self.database.store
    }

    async fn queue(&self, what: &str) -> JobId {
        let project = "flights".parse().unwrap();
        self.store().ensure_project(&project, 1).await.unwrap();
        let created_ms = self.queued.fetch_add(1, Ordering::SeqCst);
        let new = NewJob {
            id: JobId::from_uuid(Uuid::new_v4()),
            project,
            target: "training/delay".to_owned(),
            payload: what.into(),
            priority: 0,
            trace_parent: None,
            created_ms,
        };
        let id = self.store().enqueue(new).await.unwrap().id;
        self.wake.wake();
        id
    }

    async fn job(&self, id: JobId) -> JobRow {
        self.store().job(id).await.unwrap().unwrap()
    }

    async fn until(&self, id: JobId, state: JobState) -> JobRow {
        let started = Instant::now();
        loop {
            let job = self.job(id).await;
            if job.state == state {
                return job;
            }
            assert!(started.elapsed() < SOON, "job is {} and not {state}: {:?}", job.state, job.error);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn benches() -> Vec<Bench> {
    databases().await.into_iter().map(Bench::new).collect()
}

async fn bench() -> Bench {
    Bench::new(TestDatabase::sqlite().await)
}

#[tokio::test]
async fn a_woken_runner_starts_a_job_at_once() {
    for bench in benches().await {
        let runner = bench.start("a", 1);
        let first = bench.queue(QUICK).await;
        bench.until(first, JobState::Succeeded).await;
        let second = bench.queue(QUICK).await;
        let job = bench.until(second, JobState::Succeeded).await;
        assert_eq!((job.attempt, job.lease_owner, job.error), (1, None, None));
        assert!(runner.shutdown(SOON).await);
    }
}

#[tokio::test]
async fn two_nodes_run_every_job_exactly_once() {
    for bench in benches().await {
        let mut ids = Vec::new();
        for _ in 0..30 {
            ids.push(bench.queue(QUICK).await);
        }
        let nodes = [bench.start("a", 3), bench.start("b", 3)];
        for id in ids {
            bench.until(id, JobState::Succeeded).await;
        }
        for node in nodes {
            assert!(node.shutdown(SOON).await);
        }
        let runs = bench.handler.runs.lock().unwrap();
        assert_eq!(runs.values().copied().collect::<Vec<_>>(), vec![1; 30]);
    }
}

#[tokio::test]
async fn no_more_jobs_run_at_once_than_there_are_workers() {
    let bench = bench().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(bench.queue(UNTIL_CANCELLED).await);
    }
    let waiting = bench.queue(QUICK).await;
    let runner = bench.start("a", 3);
    for id in &ids {
        bench.until(*id, JobState::Running).await;
    }
    assert_eq!(bench.job(waiting).await.state, JobState::Queued, "all three workers are taken");
    for id in ids {
        bench.store().request_cancel(id, 1).await.unwrap();
        bench.wake.wake();
        bench.until(id, JobState::Cancelled).await;
    }
    bench.until(waiting, JobState::Succeeded).await;
    assert_eq!(bench.handler.running_max.load(Ordering::SeqCst), 3);
    assert!(runner.shutdown(SOON).await);
}

#[tokio::test]
async fn a_panic_fails_the_job_with_its_message_and_nothing_else() {
    let bench = bench().await;
    let runner = bench.start("a", 1);
    let bad = bench.queue(PANIC).await;
    let failed = bench.until(bad, JobState::Failed).await;
    assert_eq!(failed.error.as_deref(), Some("the job panicked: no column 'dep_time'"));
    let good = bench.queue(QUICK).await;
    bench.until(good, JobState::Succeeded).await;
    assert!(runner.shutdown(SOON).await);
}

#[tokio::test]
async fn a_running_job_is_cancelled_without_waiting_for_a_heartbeat() {
    for bench in benches().await {
        let runner = bench.start("a", 1);
        let id = bench.queue(UNTIL_CANCELLED).await;
        bench.until(id, JobState::Running).await;
        bench.store().request_cancel(id, 2).await.unwrap();
        bench.wake.wake();
        bench.until(id, JobState::Cancelled).await;
        assert!(runner.shutdown(SOON).await);
    }
}

#[tokio::test]
async fn a_shutdown_puts_jobs_back_and_the_next_start_goes_on() {
    for bench in benches().await {
        let runner = bench.start("a", 2);
        let id = bench.queue(UNTIL_CANCELLED).await;
        bench.until(id, JobState::Running).await;
        assert!(runner.shutdown(SOON).await);
        assert_eq!(bench.job(id).await.state, JobState::Queued);
        let runner = bench.start("a", 2);
        assert_eq!(bench.until(id, JobState::Running).await.attempt, 2);
        assert!(runner.shutdown(SOON).await);
    }
}

#[tokio::test]
async fn a_job_that_does_not_listen_is_aborted_when_the_limit_has_passed() {
    let bench = bench().await;
    let runner = bench.start("a", 1);
    let id = bench.queue(DEAF).await;
    bench.until(id, JobState::Running).await;
    let started = Instant::now();
    assert!(!runner.shutdown(Duration::from_millis(100)).await);
    assert!(started.elapsed() < SOON);
    assert_eq!(bench.job(id).await.state, JobState::Queued);
    assert!(runner.tasks.is_empty());
}

#[tokio::test]
async fn heartbeats_keep_a_long_job_from_other_nodes() {
    for mut bench in benches().await {
        bench.timing = Timing { lease: Duration::from_millis(300), poll: Duration::from_millis(20) };
        let nodes = [bench.start("a", 1), bench.start("b", 1)];
        let id = bench.queue(LONG).await;
        assert_eq!(bench.until(id, JobState::Succeeded).await.attempt, 1);
        for node in nodes {
            assert!(node.shutdown(SOON).await);
        }
    }
}

#[tokio::test]
async fn a_node_that_lost_its_lease_stops_and_writes_nothing() {
    let bench = bench().await;
    let runner = bench.start("a", 1);
    let id = bench.queue(UNTIL_CANCELLED).await;
    let lease_until_ms = bench.until(id, JobState::Running).await.lease_until_ms.unwrap();
    let stolen = bench.store().claim("b", lease_until_ms + 1, 60_000).await.unwrap().unwrap();
    assert_eq!(stolen.id, id);
    bench.wake.wake();
    let started = Instant::now();
    while bench.handler.running.load(Ordering::SeqCst) > 0 {
        assert!(started.elapsed() < SOON, "the handler was not told");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(runner.shutdown(SOON).await);
    let job = bench.job(id).await;
    assert_eq!((job.state, job.lease_owner.as_deref()), (JobState::Running, Some("b")));
}

#[tokio::test]
async fn a_job_cancelled_while_its_node_was_down_is_cancelled_when_it_is_claimed() {
    let bench = bench().await;
    let id = bench.queue(UNTIL_CANCELLED).await;
    bench.store().claim("a", 1, 1).await.unwrap().unwrap();
    bench.store().request_cancel(id, 2).await.unwrap();
    bench.store().release_owned("a", 3).await.unwrap();
    let runner = bench.start("a", 1);
    bench.until(id, JobState::Cancelled).await;
    assert!(runner.shutdown(SOON).await);
}
