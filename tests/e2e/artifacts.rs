//! Artifacts through the real server: what a kill leaves of them, and where they lie.

use futures::stream;
use reqwest::{Body, Method, StatusCode};
use serde_json::{Value, json};
use tiegel_tests::{Options, TestServer};

const PROXY: &str = "/api/2.0/mlflow-artifacts/artifacts";
const MPU: &str = "/api/2.0/mlflow-artifacts/mpu";

async fn put(server: &TestServer, path: &str, body: impl Into<Body>) -> reqwest::Response {
    let request = server.http.put(format!("{}{path}", server.url)).body(body);
    request.send().await.expect("the server answers")
}

async fn bytes(server: &TestServer, path: &str) -> (StatusCode, Vec<u8>) {
    let answer = server.http.get(format!("{}{PROXY}/{path}", server.url)).send().await.expect("the server answers");
    (answer.status(), answer.bytes().await.expect("a whole body").to_vec())
}

/// A body that begins and never ends.
fn endless() -> Body {
    Body::wrap_stream(stream::unfold(0_u8, |round| async move {
        if round > 40 {
            std::future::pending::<()>().await;
        }
        Some((Ok::<_, std::io::Error>(vec![round; 100_000]), round + 1))
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_an_upload_is_whole_or_absent_and_parts_go_on() {
    let mut server = TestServer::start().await;
    let whole: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 249) as u8).collect();
    assert_eq!(put(&server, &format!("{PROXY}/1/r/artifacts/whole"), whole.clone()).await.status(), 200);
    let created = server.post(&format!("{MPU}/create/1/r/artifacts"), &json!({ "path": "big", "num_parts": 2 })).await;
    let (upload, credentials) = (created.body["upload_id"].clone(), created.body["credentials"].clone());
    let part = async |server: &TestServer, at: usize, body: &'static str| -> Value {
        let url = credentials[at]["url"].as_str().unwrap().strip_prefix(&server.url).unwrap().to_owned();
        let answer = put(server, &url, body).await;
        json!({ "part_number": at + 1, "etag": answer.headers()["etag"].to_str().unwrap() })
    };
    let first = part(&server, 0, "hello ").await;
    let (http, url) = (server.http.clone(), format!("{}{PROXY}/1/r/artifacts/half", server.url));
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    let broken = tokio::spawn(async move { http.put(url).body(endless()).send().await });
    let scratch = server.data_dir().join("blobs/.scratch");
    while std::fs::read_dir(&scratch).unwrap().next().is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    server.kill();
    assert!(broken.await.unwrap().is_err());
    server.restart().await;

    assert_eq!(bytes(&server, "1/r/artifacts/whole").await, (StatusCode::OK, whole));
    assert_eq!(bytes(&server, "1/r/artifacts/half").await.0, StatusCode::NOT_FOUND);
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
    let second = part(&server, 1, "world").await;
    let body = json!({ "path": "big", "upload_id": upload, "parts": [first, second] });
    assert_eq!(server.post(&format!("{MPU}/complete/1/r/artifacts"), &body).await.status, 200);
    assert_eq!(bytes(&server, "1/r/artifacts/big").await.1, b"hello world");
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_shows_what_was_there_and_takes_what_comes() {
    let (destination, runs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let old = destination.path().join("0/old/artifacts");
    std::fs::create_dir_all(&old).unwrap();
    std::fs::write(old.join("model.pkl"), "old model").unwrap();
    let env = vec![
        ("TIEGEL_ARTIFACTS_DESTINATION".to_owned(), format!("file://{}", destination.path().display())),
        ("TIEGEL_DEFAULT_ARTIFACT_ROOT".to_owned(), runs.path().display().to_string()),
    ];
    let server = TestServer::start_with(Options { env, ..Options::default() }).await;
    assert_eq!(bytes(&server, "0/old/artifacts/model.pkl").await, (StatusCode::OK, b"old model".to_vec()));
    assert_eq!(put(&server, &format!("{PROXY}/0/old/artifacts/new.txt"), "new").await.status(), 200);
    let listed = server.get(&format!("{PROXY}?path=0/old/artifacts")).await.body;
    let names: Vec<_> = listed["files"].as_array().unwrap().iter().map(|file| file["path"].clone()).collect();
    assert_eq!(names, ["model.pkl", "new.txt"]);
    assert_eq!(server.get(PROXY).await.body["files"], json!([{ "path": "0", "is_dir": true }]));
    assert!(destination.path().join(".tiegel/sha256").is_dir() && !server.data_dir().join("blobs").exists());

    // A run whose files its client writes by itself.
    let experiment = server.post("/api/2.0/mlflow/experiments/create", &json!({ "name": "direct" })).await;
    let body = json!({ "experiment_id": experiment.body["experiment_id"] });
    let info = server.post("/api/2.0/mlflow/runs/create", &body).await.body["run"]["info"].clone();
    let root = std::path::PathBuf::from(info["artifact_uri"].as_str().unwrap());
    assert!(root.starts_with(runs.path()), "{root:?}");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("log.txt"), "direct").unwrap();
    let run = info["run_id"].as_str().unwrap();
    let listed = server.get(&format!("/api/2.0/mlflow/artifacts/list?run_id={run}")).await.body;
    assert_eq!(listed["files"], json!([{ "path": "log.txt", "is_dir": false, "file_size": 6 }]));
    assert_eq!(server.get(&format!("/get-artifact?run_id={run}&path=log.txt")).await.text, "direct");
    let gone = server.send(Method::DELETE, &format!("{PROXY}/0/old"), None).await;
    assert_eq!((gone.status, old.exists()), (StatusCode::OK, false));
    server.finish().await;
}
