mod models;
mod search;
mod versions;

use serde_json::{Value, json};

use crate::testing::{Reply, Server};

const BASE: &str = "/api/2.0/mlflow";

async fn post(server: &Server, path: &str, body: Value) -> Reply {
    server.post(&format!("{BASE}/{path}"), body).await
}

async fn with(server: &Server, method: &str, path: &str, body: Value) -> Reply {
    let headers = [("content-type", "application/json")];
    server.send(method, &format!("{BASE}/{path}"), &headers, body.to_string()).await
}

async fn get(server: &Server, path: &str) -> Reply {
    server.get(&format!("{BASE}/{path}")).await
}

fn ok(reply: Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

fn refused(reply: &Reply) -> (u16, String, String) {
    let (status, code) = reply.refusal();
    (status, code, reply.json()["message"].as_str().unwrap().to_owned())
}

async fn model(server: &Server, name: &str) {
    ok(post(server, "registered-models/create", json!({ "name": name })).await);
}

async fn version(server: &Server, fields: Value) -> Value {
    let mut body = json!({ "source": "s3://bucket/model" });
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    ok(post(server, "model-versions/create", body).await)["model_version"].take()
}
