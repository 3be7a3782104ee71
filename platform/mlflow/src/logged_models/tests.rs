use serde_json::{Value, json};

use crate::testing::{Reply, Server};

const BASE: &str = "/api/2.0/mlflow/logged-models";

async fn with(server: &Server, method: &str, path: &str, body: Value) -> Reply {
    let headers = [("content-type", "application/json")];
    server.send(method, &format!("{BASE}{path}"), &headers, body.to_string()).await
}

async fn made(server: &Server, body: Value) -> Value {
    let reply = with(server, "POST", "", body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["model"].take()
}

#[tokio::test]
async fn a_logged_model_is_made_finalized_and_deleted() {
    let server = Server::new().await;
    let pairs = json!([{ "key": "a", "value": "1" }]);
    let body = json!({ "experiment_id": "0", "name": "forest", "params": pairs, "tags": pairs });
    let made = made(&server, body).await;
    let id = made["info"]["model_id"].as_str().unwrap().to_owned();
    let expected = json!({
        "info": {
            "model_id": id, "experiment_id": "0", "name": "forest",
            "creation_timestamp_ms": made["info"]["creation_timestamp_ms"],
            "last_updated_timestamp_ms": made["info"]["creation_timestamp_ms"],
            "artifact_uri": format!("mlflow-artifacts:/0/models/{id}/artifacts"), "status": "LOGGED_MODEL_PENDING",
            "model_type": "", "source_run_id": "", "tags": pairs,
        },
        "data": { "params": pairs },
    });
    assert_eq!(made, expected);
    assert!(id.len() == 34 && id.starts_with("m-"));
    let path = format!("/{id}");
    assert_eq!(server.get(&format!("{BASE}{path}")).await.json()["model"], made);
    let ready = json!({ "model_id": id, "status": "LOGGED_MODEL_READY" });
    let ready = with(&server, "PATCH", &path, ready).await.json();
    assert_eq!(ready["model"]["info"]["status"], "LOGGED_MODEL_READY");
    assert_eq!(with(&server, "DELETE", &path, json!({})).await.json(), json!({}));
    let missing = server.get(&format!("{BASE}{path}")).await;
    assert_eq!(missing.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    let deleted = server.get(&format!("{BASE}{path}?allow_deleted=true")).await;
    assert_eq!(deleted.json()["model"]["info"]["model_id"], json!(id));
}

#[tokio::test]
async fn params_and_tags_are_added_and_tags_deleted() {
    let server = Server::new().await;
    let made = made(&server, json!({ "experiment_id": "0" })).await;
    assert_eq!(made["info"]["name"].as_str().unwrap().split('-').count(), 3, "a name is made up");
    let path = format!("/{}", made["info"]["model_id"].as_str().unwrap());
    let pairs = |value: &str| json!([{ "key": "a", "value": value }]);
    for (method, to, body) in [
        ("POST", "/params", json!({ "params": pairs("1") })),
        ("POST", "/params", json!({ "params": pairs("1") })),
        ("PATCH", "/tags", json!({ "tags": pairs("1") })),
        ("PATCH", "/tags", json!({ "tags": pairs("2") })),
    ] {
        assert_eq!(with(&server, method, &format!("{path}{to}"), body).await.json(), json!({}), "{to}");
    }
    let changed = with(&server, "POST", &format!("{path}/params"), json!({ "params": pairs("2") })).await;
    assert_eq!(changed.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()));
    let model = server.get(&format!("{BASE}{path}")).await.json()["model"].take();
    assert_eq!((&model["data"]["params"], &model["info"]["tags"]), (&pairs("1"), &pairs("2")));
    assert_eq!(with(&server, "DELETE", &format!("{path}/tags/a"), json!({})).await.json(), json!({}));
    let again = with(&server, "DELETE", &format!("{path}/tags/a"), json!({})).await;
    assert_eq!(again.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let server = Server::new().await;
    for (body, status) in [
        (json!({ "name": "x" }), 400),
        (json!({ "experiment_id": "987654" }), 404),
        (json!({ "experiment_id": "x" }), 400),
        (json!({ "experiment_id": "0", "name": "a/b" }), 400),
        (json!({ "experiment_id": "0", "tags": [{ "key": "k".repeat(256) }] }), 400),
        (json!({ "experiment_id": "0", "params": "a" }), 400),
    ] {
        assert_eq!(with(&server, "POST", "", body.clone()).await.refusal().0, status, "{body}");
    }
    let made = made(&server, json!({ "experiment_id": "0" })).await;
    let path = format!("/{}", made["info"]["model_id"].as_str().unwrap());
    for body in [json!({}), json!({ "status": "DONE" }), json!({ "status": 9 })] {
        assert_eq!(with(&server, "PATCH", &path, body.clone()).await.refusal().0, 400, "{body}");
    }
    let missing = with(&server, "PATCH", "/m-none", json!({ "status": 2 })).await;
    assert_eq!(missing.json()["message"], "Logged model with ID 'm-none' not found.");
}
