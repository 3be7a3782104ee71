use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::*;

const SOON: Duration = Duration::from_secs(10);
const NEVER: Duration = Duration::from_secs(3_600);

/// Counts its passes; the first `failures` of them fail, the first `panics` of those by a panic.
#[derive(Default)]
struct Counter {
    passes: AtomicU32,
    failures: u32,
    panics: u32,
    hang: bool,
}

#[async_trait]
impl Reconciler for Counter {
    fn name(&self) -> &'static str {
        "counter"
    }

    async fn reconcile(&self) -> Result<(), ReconcileError> {
        let pass = self.passes.fetch_add(1, Ordering::SeqCst) + 1;
        if self.hang {
            std::future::pending::<()>().await;
        }
        assert!(pass > self.panics, "pass {pass}");
        if pass <= self.failures { Err(format!("pass {pass}").into()) } else { Ok(()) }
    }
}

impl Counter {
    async fn until(&self, passes: u32) {
        let started = Instant::now();
        while self.passes.load(Ordering::SeqCst) < passes {
            assert!(started.elapsed() < SOON, "only {} passes", self.passes.load(Ordering::SeqCst));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_pass_runs_at_the_start_and_after_each_poke() {
    let counter = Arc::new(Counter::default());
    let handle = start_reconciler(counter.clone(), NEVER);
    counter.until(1).await;
    handle.poke();
    counter.until(2).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(counter.passes.load(Ordering::SeqCst), 2);
    assert!(handle.shutdown(SOON).await);
    handle.poke();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(counter.passes.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn passes_come_by_themselves() {
    let counter = Arc::new(Counter::default());
    let handle = start_reconciler(counter.clone(), Duration::from_millis(20));
    counter.until(4).await;
    assert!(handle.shutdown(SOON).await);
}

#[tokio::test]
async fn a_pass_that_failed_or_panicked_is_tried_again_before_the_interval_is_over() {
    for panics in [0, 1] {
        let counter = Arc::new(Counter { failures: 1, panics, ..Counter::default() });
        let handle = start_reconciler(counter.clone(), NEVER);
        counter.until(2).await;
        assert!(handle.shutdown(SOON).await);
    }
}

#[tokio::test]
async fn a_pass_that_hangs_is_aborted_when_the_limit_has_passed() {
    let counter = Arc::new(Counter { hang: true, ..Counter::default() });
    let handle = start_reconciler(counter.clone(), NEVER);
    counter.until(1).await;
    assert!(!handle.shutdown(Duration::from_millis(50)).await);
    let ended = tokio::time::timeout(SOON, handle.tasks.wait()).await;
    assert!(ended.is_ok(), "the aborted pass is still there");
}

#[tokio::test]
async fn the_wait_after_failures_doubles_up_to_the_interval() {
    let counter: Arc<dyn Reconciler> = Arc::new(Counter::default());
    let handle = start_reconciler(Arc::clone(&counter), NEVER);
    let mut driver = Driver {
        reconciler: counter,
        every: Duration::from_secs(5),
        handle: handle.clone(),
        failures: 0,
        last_error: String::new(),
    };
    let mut pauses = Vec::new();
    for _ in 0..4 {
        driver.note(Err("full disk".to_owned()));
        pauses.push(driver.pause().as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 5]);
    driver.note(Ok(()));
    assert_eq!(driver.pause().as_secs(), 5);
    assert!(handle.shutdown(SOON).await);
}
