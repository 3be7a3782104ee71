//! Garbage is collected through the real server: what is deleted goes, what is in use stays, whatever else happens.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use tiegel_store::testing::fresh_postgres_url;
use tiegel_tests::{Database, Options, TestServer};

const API: &str = "/api/2.0/mlflow";
const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts";
/// What an upload has from its last byte to its row, in these tests.
const GRACE_SECONDS: u64 = 1;

async fn start(database: Database, more: &[(&str, &str)]) -> TestServer {
    let mut env = vec![("TIEGEL_GC__BLOB_GRACE_SECONDS".to_owned(), GRACE_SECONDS.to_string())];
    env.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    // Beside other tests a migration may take its time.
    let expected_logs = ["was interrupted", "slow statement"].map(str::to_owned).to_vec();
    TestServer::start_with(Options { database, env, expected_logs }).await
}

async fn run(server: &TestServer) -> String {
    let made = server.post(&format!("{API}/runs/create"), &json!({ "experiment_id": "0" })).await;
    made.body["run"]["info"]["run_id"].as_str().expect("a run id").to_owned()
}

async fn turn(server: &TestServer, verb: &str, run: &str) {
    let answer = server.post(&format!("{API}/runs/{verb}"), &json!({ "run_id": run })).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn is_there(server: &TestServer, run: &str) -> bool {
    server.get(&format!("{API}/runs/get?run_id={run}")).await.status == 200
}

fn place(run: &str, name: &str) -> String {
    format!("{PROXY}/0/{run}/artifacts/{name}")
}

async fn put(server: &TestServer, path: &str, body: &str) {
    let request = server.http.put(format!("{}{path}", server.url)).body(body.to_owned());
    assert_eq!(request.send().await.expect("the server answers").status(), 200, "{path}");
}

async fn text(server: &TestServer, path: &str) -> (StatusCode, String) {
    let answer = server.get(path).await;
    (answer.status, answer.text)
}

async fn collect(server: &TestServer, body: Value) -> Value {
    let answer = server.post("/api/v1/gc", &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body
}

async fn grace() {
    tokio::time::sleep(Duration::from_millis(GRACE_SECONDS * 1_000 + 200)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_two_runs_share_stay_with_the_one_that_is_left_on_sqlite() {
    shared_bytes(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_two_runs_share_stay_with_the_one_that_is_left_on_postgres() {
    shared_bytes(Database::Postgres(fresh_postgres_url().await)).await;
}

async fn shared_bytes(database: Database) {
    let server = start(database, &[]).await;
    let [gone, stays, restored] = [run(&server).await, run(&server).await, run(&server).await];
    for run in [&gone, &stays, &restored] {
        put(&server, &place(run, "same"), "the same bytes").await;
    }
    put(&server, &place(&gone, "own"), "its own").await;
    for run in [&gone, &restored] {
        turn(&server, "delete", run).await;
    }
    turn(&server, "restore", &restored).await;
    grace().await;

    let would = collect(&server, json!({ "dry_run": true })).await;
    let expected = json!({ "dry_run": true, "runs": 1, "experiments": 0, "logged_models": 0, "traces": 0, "files": 2,
        "uploads": 0, "blobs": 1, "bytes": 7 });
    assert_eq!(would, expected);
    assert_eq!(text(&server, &place(&gone, "own")).await, (StatusCode::OK, "its own".to_owned()));
    turn(&server, "restore", &gone).await;
    turn(&server, "delete", &gone).await;
    let cli = server.cli(&["gc", "--dry-run", "--older-than", "30d"]);
    assert!(String::from_utf8_lossy(&cli.stdout).contains("0 runs"), "{cli:?}");

    let cli = server.cli(&["gc"]);
    let said = String::from_utf8_lossy(&cli.stdout).into_owned();
    assert!(said.starts_with("removed:") && said.contains("1 runs") && said.contains("1 stored contents"), "{said}");
    assert!(!is_there(&server, &gone).await);
    assert_eq!(text(&server, &place(&gone, "own")).await.0, StatusCode::NOT_FOUND);
    for run in [&stays, &restored] {
        assert!(is_there(&server, run).await);
        assert_eq!(text(&server, &place(run, "same")).await, (StatusCode::OK, "the same bytes".to_owned()));
    }
    let refused = server.post("/api/v1/gc", &json!({ "older_than": "soon" })).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.text.contains("30d"), "{}", refused.text);
    let audit = server.get("/api/v1/audit").await;
    assert_eq!(audit.body[0]["action"], "gc.collect");
    server.finish().await;
}

/// Clients store and delete the same few contents, at times that let them grow old, while garbage is collected without a
/// pause: what a client stored it can read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::disallowed_methods, reason = "every client is waited for before the test ends")]
async fn what_is_stored_while_garbage_is_collected_can_be_read() {
    let server = std::sync::Arc::new(start(Database::Sqlite, &[]).await);
    let clients: Vec<_> = (0..8_u64)
        .map(|client| {
            let server = server.clone();
            tokio::spawn(async move {
                for round in 0..10 {
                    let (path, content) = (place("r", &format!("c{client}")), format!("content {}", client / 2));
                    put(&server, &path, &content).await;
                    assert_eq!(text(&server, &path).await, (StatusCode::OK, content));
                    let deleted = server.http.delete(format!("{}{path}", server.url)).send().await;
                    assert_eq!(deleted.expect("the server answers").status(), 200);
                    tokio::time::sleep(Duration::from_millis((client / 2 * 7 + round * 5) % 20 * 100)).await;
                }
            })
        })
        .collect();
    let mut swept = 0;
    while clients.iter().any(|client| !client.is_finished()) {
        swept += collect(&server, json!({})).await["blobs"].as_u64().expect("a number");
    }
    for client in clients {
        client.await.expect("the client read what it stored");
    }
    assert!(swept > 0, "garbage was made and collected");
    let server = std::sync::Arc::into_inner(server).expect("all clients are done");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collection_that_was_killed_is_completed_by_another() {
    let mut server = start(Database::Sqlite, &[]).await;
    let (mut deleted, mut active) = (Vec::new(), Vec::new());
    for at in 0..60 {
        let run = run(&server).await;
        let metrics: Vec<_> =
            (0..200).map(|at| json!({ "key": format!("m{at}"), "value": 1.0, "timestamp": 1, "step": at })).collect();
        server.post(&format!("{API}/runs/log-batch"), &json!({ "run_id": run, "metrics": metrics })).await;
        put(&server, &place(&run, "own"), &run).await;
        put(&server, &place(&run, "same"), "the same bytes").await;
        if at % 3 == 0 {
            active.push(run);
        } else {
            turn(&server, "delete", &run).await;
            deleted.push(run);
        }
    }
    grace().await;
    for ms in [5, 30, 90] {
        let request = server.http.post(format!("{}/api/v1/gc", server.url)).json(&json!({}));
        let limit = tokio::time::timeout(Duration::from_millis(ms), request.send());
        drop(limit.await);
        server.kill();
        server.restart().await;
        for run in &active {
            assert_eq!(text(&server, &place(run, "own")).await, (StatusCode::OK, run.clone()));
        }
    }
    collect(&server, json!({})).await;
    assert_eq!(collect(&server, json!({})).await["runs"], 0);
    for run in &deleted {
        assert!(!is_there(&server, run).await);
        assert_eq!(text(&server, &place(run, "own")).await.0, StatusCode::NOT_FOUND);
    }
    for run in &active {
        assert!(is_there(&server, run).await);
        assert_eq!(text(&server, &place(run, "own")).await.1, *run);
        assert_eq!(text(&server, &place(run, "same")).await.1, "the same bytes");
    }
    // One content for each active run, and the one that they share.
    let blobs = server.data_dir().join("blobs/sha256");
    let folders = std::fs::read_dir(blobs).unwrap().map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    assert_eq!(folders.map(Iterator::count).sum::<usize>(), active.len() + 1);
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_background_deleted_runs_go_only_where_a_retention_is_set() {
    let every = ("TIEGEL_GC__EVERY_SECONDS", "1");
    for (more, goes) in [(&[every][..], false), (&[every, ("TIEGEL_GC__KEEP_DELETED_SECONDS", "1")][..], true)] {
        let server = start(Database::Sqlite, more).await;
        let run = run(&server).await;
        put(&server, &place(&run, "file"), "text").await;
        put(&server, &place("nobody", "file"), "nobody's").await;
        server.http.delete(format!("{}{}", server.url, place("nobody", "file"))).send().await.expect("an answer");
        turn(&server, "delete", &run).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(is_there(&server, &run).await, !goes);
        let blob = format!("/api/v1/blobs/{}", tiegel_types::Digest::of(b"nobody's"));
        assert_eq!(server.send(reqwest::Method::HEAD, &blob, None).await.status, StatusCode::NOT_FOUND);
        server.finish().await;
    }
}
