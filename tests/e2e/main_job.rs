use serde_json::{Value, json};
use tiegel_tests::{Database, FLIGHTS_ROWS, Options, ProjectFolder, TestServer};

use crate::{PLUGINS, apply, text};

/// Rows as a client sends them: the columns of the joined table that reach a feature.
pub fn rows() -> Value {
    json!({ "rows": [
        { "time": "2013-12-01T21:30:00Z", "origin": "JFK", "carrier": "AA", "distance": 760.0, "wind": 28.5 },
        { "time": "2013-12-01T01:30:00Z", "origin": "EWR", "carrier": "UA", "distance": null, "wind": 0.5 },
    ]})
}

#[tokio::test]
async fn raw_files_become_a_served_model_on_sqlite() {
    main_job(TestServer::start().await).await;
}

#[tokio::test]
async fn raw_files_become_a_served_model_on_postgres() {
    let url = tiegel_store::testing::fresh_postgres_url().await;
    let options = Options { database: Database::Postgres(url), ..Options::default() };
    main_job(TestServer::start_with(options).await).await;
}

async fn main_job(server: TestServer) {
    let folder = ProjectFolder::flights();
    server.push_plugins(&PLUGINS).await;

    let plan = server.cli_in(folder.path(), &["plan"]);
    assert_eq!(plan.status.code(), Some(2), "{}", text(&plan.stderr));
    let plan = text(&plan.stdout);
    assert!(plan.contains("+ create endpoint/delay"), "{plan}");
    assert!(plan.contains("features: known once flights has been read") || plan.contains("through filled"), "{plan}");

    apply(&server, &folder);
    let job = server.run("endpoint/delay").await;
    let states: Vec<_> =
        job["steps"].as_array().unwrap().iter().map(|s| (s["name"].clone(), s["state"].clone())).collect();
    assert_eq!(states.len(), 9, "{states:?}");
    assert!(states.iter().all(|(_, state)| state == "succeeded"), "{states:?}");

    let joined = server.get("/api/v1/projects/default/datasets/features.joined").await;
    assert_eq!(joined.body["rows"], json!(FLIGHTS_ROWS), "{}", joined.text);

    let answer = server.post("/api/v1/endpoints/delay/predict", &rows()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let predictions = answer.body["predictions"].as_array().unwrap();
    let (windy_evening, calm_night) = (predictions[0].as_f64().unwrap(), predictions[1].as_f64().unwrap());
    assert!(windy_evening > calm_night, "{predictions:?}");

    cached_run(&server, &folder).await;
    explained(&server, &folder).await;
    server.finish().await;
}

async fn cached_run(server: &TestServer, folder: &ProjectFolder) {
    let plan = server.cli_in(folder.path(), &["plan"]);
    assert_eq!(plan.status.code(), Some(0), "{}{}", text(&plan.stdout), text(&plan.stderr));
    assert!(
        text(&plan.stdout).contains("features: rows of joined through filled, timed, scaled, encoded"),
        "{}",
        text(&plan.stdout)
    );
    let job = server.run("endpoint/delay").await;
    for step in job["steps"].as_array().unwrap() {
        assert_eq!(step["state"], "cached", "{step}");
    }
}

/// A changed config runs its step and what follows, and `why` names it.
async fn explained(server: &TestServer, folder: &ProjectFolder) {
    folder.edit(
        "timed: {wasm: calendar, columns: [time], keep: [time]}",
        "timed: {wasm: calendar, columns: [time], keep: [time], config: {parts: [hour]}}",
    );
    apply(server, folder);
    server.run("pipeline/features").await;
    let why = |step: &str| text(&server.cli(&["why", "latest", step]).stdout);
    assert!(why("filled").contains("cached: no input changed since it last ran"), "{}", why("filled"));
    assert!(why("timed").contains("ran: config changed"), "{}", why("timed"));
    assert!(why("scaled").contains("ran: input timed changed"), "{}", why("scaled"));

    let exported = server.cli(&["export"]);
    let copy = ProjectFolder::flights();
    copy.write("tiegel.yaml", &text(&exported.stdout));
    let plan = server.cli_in(copy.path(), &["plan"]);
    assert!(!text(&plan.stdout).contains("update"), "an export changes nothing: {}", text(&plan.stdout));
}
