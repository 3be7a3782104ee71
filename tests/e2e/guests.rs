use std::time::{Duration, Instant};

use tiegel_tests::{Options, ProjectFolder, TestServer};

use crate::{PLUGINS, apply};

const CALL_MS_MAX: u64 = 300;
/// Little, so that a debug build reaches it before the deadline.
const MEMORY_BYTES_MAX: u64 = 32 << 20;

/// Runs the pipeline with one step of plugin `hostile`; answers the error and how long the step took.
async fn run_hostile(mode: &str, call_ms_max: u64) -> (String, Duration) {
    let options = Options {
        env: vec![
            ("TIEGEL_PLUGINS__CALL_MS_MAX".to_owned(), call_ms_max.to_string()),
            ("TIEGEL_PLUGINS__MEMORY_BYTES_MAX".to_owned(), MEMORY_BYTES_MAX.to_string()),
        ],
        expected_logs: vec!["plugin".to_owned()],
        ..Options::default()
    };
    let server = TestServer::start_with(options).await;
    server.push_plugins(&PLUGINS).await;
    server.push_plugins(&["hostile"]).await;
    let folder = ProjectFolder::flights();
    let step = format!(
        "timed: {{wasm: calendar, columns: [time], keep: [time]}}\n    evil: {{wasm: hostile, columns: [wind], config: {{mode: {mode}}}}}"
    );
    folder.edit("timed: {wasm: calendar, columns: [time], keep: [time]}", &step);
    apply(&server, &folder);
    let id = server.start_run("pipeline/features").await;
    let answered = answers_while_running(&server, &id).await;
    assert!(answered > 0, "the server answered nothing meanwhile");
    let job = server.wait_job(&id).await;
    assert_eq!(job["state"], "failed", "{job:#}");
    let steps = job["steps"].as_array().unwrap();
    let evil = steps.iter().find(|s| s["name"] == "features.evil").expect("the step is listed");
    let took = evil["finished_ms"].as_i64().unwrap() - evil["started_ms"].as_i64().unwrap();
    server.finish().await;
    (job["error"].as_str().unwrap().to_owned(), Duration::from_millis(took as u64))
}

/// Health checks while the job runs; none may wait for the plugin.
async fn answers_while_running(server: &TestServer, id: &str) -> usize {
    let mut answered = 0;
    while server.get(&format!("/api/v1/jobs/{id}")).await.body["state"]
        .as_str()
        .is_some_and(|s| s == "queued" || s == "running")
    {
        let asked = Instant::now();
        assert_eq!(server.get("/health/ready").await.status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "the server stood still for {:?}", asked.elapsed());
        answered += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    answered
}

#[tokio::test]
async fn a_plugin_that_loops_forever_fails_its_step_at_the_deadline() {
    let (error, took) = run_hostile("spin-in-transform", CALL_MS_MAX).await;
    assert!(error.contains("step 'features.evil'") && error.contains("300 ms"), "{error}");
    // The step also instantiates, reads and writes; the accuracy of the deadline itself is tested at the plugin host.
    assert!(took < Duration::from_millis(CALL_MS_MAX + 3_000), "{took:?}");
}

#[tokio::test]
async fn a_plugin_that_allocates_without_end_fails_its_step() {
    let (error, _) = run_hostile("allocate", 10_000).await;
    assert!(error.contains("step 'features.evil'") && error.contains("memory"), "{error}");
}

#[tokio::test]
async fn a_plugin_that_answers_malformed_buffers_fails_its_step() {
    for mode in ["short-data", "bad-offsets", "wrong-row-count"] {
        let (error, _) = run_hostile(mode, 10_000).await;
        assert!(error.contains("step 'features.evil'") && error.contains("hostile"), "{mode}: {error}");
    }
}

#[tokio::test]
async fn a_plugin_that_panics_fails_its_step_with_its_own_message() {
    let (error, _) = run_hostile("panic", 10_000).await;
    assert!(error.contains("step 'features.evil'") && error.contains("panic"), "{error}");
}
