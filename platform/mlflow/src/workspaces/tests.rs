use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::testing::{Reply, Server};

const ARTIFACTS: &str = "/api/2.0/mlflow-artifacts/artifacts";

struct Client<'s> {
    server: &'s Server,
    workspace: &'s str,
}

impl Client<'_> {
    async fn send(&self, method: &str, uri: &str, body: String) -> Reply {
        let headers = [("content-type", "application/json"), ("x-mlflow-workspace", self.workspace)];
        self.server.send(method, uri, &headers, body).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.send("POST", &format!("/api/2.0/mlflow/{path}"), body.to_string()).await
    }

    async fn get(&self, uri: &str) -> Reply {
        self.send("GET", uri, String::new()).await
    }

    async fn put(&self, place: &str, bytes: &str) -> StatusCode {
        self.send("PUT", &format!("{ARTIFACTS}/{place}"), bytes.to_owned()).await.status
    }
}

async fn server() -> Server {
    let server = Server::new().await;
    for name in ["red", "blue"] {
        let made = server.post("/api/3.0/mlflow/workspaces", json!({ "name": name })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    }
    server
}

fn of<'s>(server: &'s Server, workspace: &'s str) -> Client<'s> {
    Client { server, workspace }
}

#[tokio::test]
async fn artifacts_are_seen_by_their_workspace_alone() {
    let server = server().await;
    let (red, blue, none) = (of(&server, "red"), of(&server, "blue"), of(&server, ""));
    // Once without and once with the folder that stands in the artifact's URI: the same file.
    assert_eq!(red.put("a/one.txt", "red").await, StatusCode::OK);
    let whole = format!("{ARTIFACTS}/workspaces/red/a/one.txt");
    assert_eq!(red.get(&whole).await.text(), "red");
    assert_eq!(blue.get(&format!("{ARTIFACTS}/a/one.txt")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(none.get(&format!("{ARTIFACTS}/a/one.txt")).await.status, StatusCode::NOT_FOUND);
    for foreign in [&blue, &none] {
        let refused = foreign.get(&whole).await;
        assert_eq!(refused.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()));
        assert!(refused.text().contains("Artifact path targets workspace 'red'"), "{}", refused.text());
        assert_eq!(foreign.put("workspaces/red/a/one.txt", "stolen").await, StatusCode::BAD_REQUEST);
        let gone = foreign.send("DELETE", &whole, String::new()).await;
        assert_eq!(gone.status, StatusCode::BAD_REQUEST);
        let spelled = foreign.get(&format!("{ARTIFACTS}/workspaces%2Fred/a/one.txt")).await;
        assert_eq!(spelled.status, StatusCode::BAD_REQUEST, "{}", spelled.text());
    }
    let listed = red.get(&format!("{ARTIFACTS}?path=a")).await.json();
    assert_eq!(listed["files"][0]["path"], "one.txt");
    assert_eq!(none.get(ARTIFACTS).await.json()["files"], json!([{ "path": "workspaces", "is_dir": true }]));
}

#[tokio::test]
async fn files_that_a_workspace_had_before_it_had_a_folder_are_still_its_own() {
    let server = server().await;
    let (red, blue) = (of(&server, "red"), of(&server, "blue"));
    let id = red.post("experiments/create", json!({ "name": "e" })).await.json()["experiment_id"].clone();
    let id = id.as_str().unwrap();
    assert_eq!(server.put(&format!("{ARTIFACTS}/{id}/r/artifacts/f.txt"), "old").await.status, StatusCode::OK);
    assert_eq!(red.get(&format!("{ARTIFACTS}/{id}/r/artifacts/f.txt")).await.text(), "old");
    assert_eq!(blue.get(&format!("{ARTIFACTS}/{id}/r/artifacts/f.txt")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn files_follow_an_experiment_that_moves_to_the_default_workspace() {
    let server = server().await;
    let (red, none) = (of(&server, "red"), of(&server, ""));
    let made = red.post("experiments/create", json!({ "name": "e" })).await.json();
    let id = made["experiment_id"].as_str().unwrap();
    let run = red.post("runs/create", json!({ "experiment_id": id })).await.json();
    let info = &run["run"]["info"];
    let run_id = info["run_id"].as_str().unwrap();
    assert_eq!(info["artifact_uri"], format!("mlflow-artifacts:/workspaces/red/{id}/{run_id}/artifacts"));
    assert_eq!(red.put(&format!("workspaces/red/{id}/{run_id}/artifacts/f.txt"), "kept").await, StatusCode::OK);
    let of_run = format!("/get-artifact?run_id={run_id}&path=f.txt");
    assert_eq!(red.get(&of_run).await.text(), "kept");
    assert_eq!(none.get(&of_run).await.status, StatusCode::NOT_FOUND);
    let moved = none.send("DELETE", "/api/3.0/mlflow/workspaces/red?mode=SET_DEFAULT", String::new()).await;
    assert_eq!(moved.status, StatusCode::NO_CONTENT, "{}", moved.text());
    assert_eq!(none.get(&of_run).await.text(), "kept");
    let whole = format!("{ARTIFACTS}/workspaces/red/{id}/{run_id}/artifacts/f.txt");
    assert_eq!(none.get(&whole).await.text(), "kept");
    assert_eq!(of(&server, "blue").get(&whole).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_archive_of_traces_cannot_be_set_up() {
    let server = server().await;
    let body = json!({ "name": "green", "trace_archival_config": { "retention": "30d" } });
    let refused = server.post("/api/3.0/mlflow/workspaces", body).await;
    assert_eq!(refused.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()));
    assert!(refused.text().contains("does not archive traces"), "{}", refused.text());
}
