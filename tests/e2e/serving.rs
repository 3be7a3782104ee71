use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use reqwest::Method;
use serde_json::json;
use tiegel_tests::{ProjectFolder, TestServer};

use crate::main_job::rows;
use crate::{PLUGINS, apply};

async fn served() -> (TestServer, ProjectFolder) {
    let server = TestServer::start().await;
    let folder = ProjectFolder::flights();
    server.push_plugins(&PLUGINS).await;
    apply(&server, &folder);
    server.run("endpoint/delay").await;
    (server, folder)
}

#[tokio::test]
async fn the_open_inference_protocol_gives_what_the_native_route_gives() {
    let (server, _folder) = served().await;
    let native = server.post("/api/v1/endpoints/delay/predict", &rows()).await.body["predictions"].clone();
    let metadata = server.get("/v2/models/delay").await.body;
    let mut names: Vec<_> =
        metadata["inputs"].as_array().unwrap().iter().map(|i| i["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["carrier", "distance", "origin", "time", "wind"], "{metadata}");
    let micros = |day: i64, hour: i64| (1_385_856_000 + day * 86_400 + hour * 3_600 + 1_800) * 1_000_000;
    let request = json!({ "id": "7", "inputs": [
        { "name": "time", "datatype": "INT64", "shape": [2], "data": [micros(0, 21), micros(0, 1)] },
        { "name": "origin", "datatype": "BYTES", "shape": [2], "data": ["JFK", "EWR"] },
        { "name": "carrier", "datatype": "BYTES", "shape": [2], "data": ["AA", "UA"] },
        { "name": "distance", "datatype": "FP64", "shape": [2], "data": [760.0, null] },
        { "name": "wind", "datatype": "FP64", "shape": [2], "data": [28.5, 0.5] },
    ]});
    let answer = server.post("/v2/models/delay/infer", &request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body["id"], "7");
    assert_eq!(answer.body["outputs"][0]["data"], native, "{}", answer.text);

    let index = server.send(Method::POST, "/v2/repository/index", None).await.body;
    assert_eq!((&index[0]["name"], &index[0]["state"]), (&json!("delay"), &json!("READY")), "{index}");
    assert_eq!(server.get("/v2/health/ready").await.status, 200);
    let unknown = server.get("/v2/models/nothing").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body["error"].is_string(), "{}", unknown.text);
    server.finish().await;
}

#[tokio::test]
async fn rows_that_are_wrong_name_row_and_column() {
    let (server, _folder) = served().await;
    let mut wrong = rows();
    wrong["rows"][1]["wind"] = json!("strong");
    let answer = server.post("/api/v1/endpoints/delay/predict", &wrong).await;
    assert_eq!(answer.status, 422, "{}", answer.text);
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("row 1") && detail.contains("wind"), "{detail}");

    let mut unknown = rows();
    unknown["rows"][0]["wnd"] = json!(1.0);
    let answer = server.post("/api/v1/endpoints/delay/predict", &unknown).await;
    assert!(answer.body["detail"].as_str().unwrap().contains("wnd"), "{}", answer.text);
    let missing = server.post("/api/v1/endpoints/nothing/predict", &rows()).await;
    assert_eq!(missing.status, 404, "{}", missing.text);
    server.finish().await;
}

#[tokio::test]
async fn an_endpoint_answers_again_right_after_a_restart() {
    let (mut server, _folder) = served().await;
    let before = server.post("/api/v1/endpoints/delay/predict", &rows()).await.body;
    server.kill();
    server.restart().await;
    assert_eq!(server.post("/api/v1/endpoints/delay/predict", &rows()).await.body, before);
    server.finish().await;
}

/// Asks in a loop until told to stop; counts answers and failures.
async fn ask(server: Arc<TestServer>, stop: Arc<AtomicBool>, counts: Arc<[AtomicUsize; 2]>) {
    while !stop.load(Ordering::Relaxed) {
        let answer = server.post("/api/v1/endpoints/delay/predict", &rows()).await;
        counts[usize::from(answer.status != 200)].fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switching_versions_drops_no_request() {
    let (server, folder) = served().await;
    let server = Arc::new(server);
    let stop = Arc::new(AtomicBool::new(false));
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let mut askers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        askers.spawn(ask(server.clone(), stop.clone(), counts.clone()));
    }
    folder.edit("hidden: [16]", "hidden: [8]");
    apply(&server, &folder);
    server.run("endpoint/delay").await;
    for version in [1, 2, 1] {
        let path = "/api/v1/models/delay/aliases/champion";
        let set = server.send(Method::PUT, path, Some(&json!({ "version": version }))).await;
        assert_eq!(set.status, 200, "{}", set.text);
        while server.get("/api/v1/endpoints").await.body[0]["live_version"] != json!(version) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    while askers.join_next().await.is_some() {}
    let [answered, failed] = [counts[0].load(Ordering::Relaxed), counts[1].load(Ordering::Relaxed)];
    assert!(answered > 100, "only {answered} requests were answered");
    assert_eq!(failed, 0, "{failed} of {answered} requests failed");

    let audit = server.get("/api/v1/audit").await.body;
    let moves = audit.as_array().unwrap().iter().filter(|e| e["action"].as_str().unwrap().contains("alias")).count();
    assert!(moves >= 5, "{audit}");
    Arc::into_inner(server).expect("nobody asks any more").finish().await;
}
