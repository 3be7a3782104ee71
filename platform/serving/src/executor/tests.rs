use std::sync::atomic::AtomicU32;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;

use super::*;

fn rows(count: usize) -> Input {
    Input::Rows(vec![serde_json::Map::new(); count])
}

/// Closed at first.
type Gate = (Mutex<bool>, Condvar);

/// Work that waits until the gate opens, and counts.
fn gated() -> (Arc<Gate>, Arc<AtomicU32>, Work) {
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let ran = Arc::new(AtomicU32::new(0));
    let (inner, counted) = (gate.clone(), ran.clone());
    let work: Work = Box::new(move |input| {
        let open = inner.0.lock().unwrap();
        drop(inner.1.wait_while(open, |open| !*open).unwrap());
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(vec![input.rows() as f64])
    });
    (gate, ran, work)
}

fn open(gate: &Gate) {
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
}

async fn until(condition: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the condition did not become true within 10 s");
}

#[tokio::test]
async fn a_panic_fails_its_own_request_and_no_other() {
    let work: Work = Box::new(|input| match input.rows() {
        13 => panic!("unlucky {}", input.rows()),
        rows => Ok(vec![rows as f64]),
    });
    let executor = Executor::start("delay", work).unwrap();
    let error = executor.run(rows(13)).await.unwrap_err();
    assert_eq!(error.to_string(), "the endpoint's code panicked: unlucky 13");
    assert_eq!(executor.run(rows(2)).await.unwrap(), [2.0]);
}

#[tokio::test]
async fn a_full_queue_answers_busy_and_the_waiting_are_all_answered() {
    let (gate, ran, work) = gated();
    let executor = Arc::new(Executor::start("delay", work).unwrap());
    let mut waiting = JoinSet::new();
    for _ in 0..=ENDPOINT_QUEUE_LEN_MAX {
        let before = executor.waiting();
        let handle = executor.clone();
        waiting.spawn(async move { handle.run(rows(1)).await });
        until(|| executor.waiting() > before).await;
        if before == 0 {
            // The first one leaves the queue for the thread.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let error = executor.run(rows(1)).await.unwrap_err();
    assert!(matches!(&error, OpError::Busy(m) if m.contains("256 requests wait for endpoint 'delay'")), "{error:?}");
    open(&gate);
    for answer in waiting.join_all().await {
        assert_eq!(answer.unwrap(), [1.0]);
    }
    assert_eq!(ran.load(Ordering::SeqCst) as usize, ENDPOINT_QUEUE_LEN_MAX + 1);
    until(|| executor.waiting() == 0).await;
}

#[tokio::test]
async fn a_request_whose_caller_left_is_not_run() {
    let (gate, ran, work) = gated();
    let executor = Arc::new(Executor::start("delay", work).unwrap());
    let mut callers = JoinSet::new();
    for count in 1..=2 {
        let handle = executor.clone();
        let caller = callers.spawn(async move { handle.run(rows(1)).await });
        until(|| executor.waiting() == count).await;
        if count == 2 {
            caller.abort();
        }
    }
    assert!(callers.join_next().await.unwrap().unwrap_err().is_cancelled());
    open(&gate);
    callers.join_next().await.unwrap().unwrap().unwrap();
    until(|| executor.waiting() == 0).await;
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[test]
fn the_thread_is_named_after_its_endpoint_and_ends_with_the_executor() {
    let alive = Arc::new(());
    let held = alive.clone();
    let work: Work = Box::new(move |_| {
        let _held = &held;
        assert_eq!(std::thread::current().name(), Some("endpoint-delay"));
        Ok(vec![])
    });
    let executor = Executor::start("delay", work).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(executor.run(rows(0))).unwrap();
    drop(executor);
    assert_eq!(Arc::strong_count(&alive), 1, "the thread has dropped its work");
}
