use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tiegel_tests::{Options, ProjectFolder, TestServer};

use crate::{PLUGINS, apply};

/// Kills in `make test`; `make soak` sets more.
const KILLS: usize = 20;

/// What a job left, by step: digests only, so that two runs can be compared.
fn digests(job: &Value) -> BTreeMap<String, Value> {
    let mut digests = BTreeMap::new();
    for step in job["steps"].as_array().expect("a job has steps") {
        let output = &step["output"];
        let value = match step["kind"].as_str() {
            Some("training" | "endpoint") => output["bundle"].clone(),
            _ => serde_json::json!([output["table"]["files"], output["state"]]),
        };
        digests.insert(step["name"].as_str().expect("a step has a name").to_owned(), value);
    }
    digests
}

async fn server_with_project() -> TestServer {
    // A killed process cannot stop gracefully; what it left is reported once after the restart.
    let options = Options { expected_logs: vec!["was interrupted".to_owned()], ..Options::default() };
    let server = TestServer::start_with(options).await;
    server.push_plugins(&PLUGINS).await;
    apply(&server, &ProjectFolder::flights());
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_killed_at_any_moment_ends_with_the_same_bytes() {
    let undisturbed = server_with_project().await;
    let started = std::time::Instant::now();
    let expected = digests(&undisturbed.run("endpoint/delay").await);
    let whole = started.elapsed();
    undisturbed.finish().await;

    #[expect(clippy::disallowed_methods, reason = "the one knob of the long run")]
    let kills: usize = std::env::var("TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let mut killed = 0;
    let mut seed = 11_u64;
    while killed < kills {
        let mut server = server_with_project().await;
        let id = server.start_run("endpoint/delay").await;
        // Several kills in one job: each after another share of what a whole run takes.
        for _ in 0..4 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let share = (seed >> 33) as f64 / f64::from(1_u32 << 31);
            tokio::time::sleep(whole.mul_f64(share * 0.5).max(Duration::from_millis(5))).await;
            if server.get(&format!("/api/v1/jobs/{id}")).await.body["state"] == "succeeded" {
                break;
            }
            server.kill();
            killed += 1;
            server.restart().await;
        }
        let job = server.wait_job(&id).await;
        assert_eq!(job["state"], "succeeded", "{}", job["error"]);
        assert_eq!(digests(&job), expected, "after {killed} kills");
        let finished: Vec<_> = job["steps"].as_array().unwrap().iter().filter(|s| s["state"] == "succeeded").collect();
        assert_eq!(finished.len(), expected.len(), "every step ran once and none was taken from another job");
        server.finish().await;
    }
}
