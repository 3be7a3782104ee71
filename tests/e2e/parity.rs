use serde_json::json;
use tiegel_tests::{Options, ProjectFolder, TestServer};

use crate::main_job::rows;
use crate::{PLUGINS, apply};

/// The plugin `hostile` in this mode adds 1 to a batch of one row: training never sees it, a request would.
const SKEWED: &str = "scaled: {wasm: standardize, columns: [distance, wind], fit: {}}\n    skewed: {wasm: hostile, columns: [wind], config: {mode: single-row-skew}}";

#[tokio::test]
async fn a_version_that_serves_other_values_than_training_saw_is_refused_and_the_old_one_goes_on() {
    let options = Options { expected_logs: vec!["deployment refused".to_owned()], ..Options::default() };
    let server = TestServer::start_with(options).await;
    let folder = ProjectFolder::flights();
    server.push_plugins(&PLUGINS).await;
    server.push_plugins(&["hostile"]).await;
    apply(&server, &folder);
    server.run("endpoint/delay").await;
    let before = server.post("/api/v1/endpoints/delay/predict", &rows()).await.body;

    folder.edit("scaled: {wasm: standardize, columns: [distance, wind], fit: {}}", SKEWED);
    apply(&server, &folder);
    let error = server.run_failing("endpoint/delay").await;
    for part in ["step 'skewed'", "column 'wind'", "row ", "version 2", "Version 1 keeps serving"] {
        assert!(error.contains(part), "'{part}' is not in: {error}");
    }

    let after = server.post("/api/v1/endpoints/delay/predict", &rows()).await.body;
    assert_eq!(after, before, "version 1 goes on");
    let status = server.get("/api/v1/endpoints").await.body;
    assert_eq!((&status[0]["state"], &status[0]["live_version"]), (&json!("ready"), &json!(1)), "{status}");
    server.finish().await;
}
