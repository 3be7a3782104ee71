use serde_json::{Value, json};

use crate::testing::Server;

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

async fn create(server: &Server, name: &str, tags: Value) -> String {
    let body = json!({ "name": name, "experiment_ids": ["0"], "tags": tags.to_string() });
    let made = server.post("/api/3.0/mlflow/datasets/create", body).await.json();
    made["dataset"]["dataset_id"].as_str().unwrap().to_owned()
}

async fn upsert(server: &Server, id: &str, records: Value) -> Value {
    let body = json!({ "records": records.to_string() });
    server.post(&format!("/api/3.0/mlflow/datasets/{id}/records"), body).await.json()
}

#[tokio::test]
async fn a_dataset_grows_by_records() {
    let server = Server::new().await;
    let id = create(&server, "d", json!({ "mlflow.user": "ann" })).await;
    let path = format!("/api/3.0/mlflow/datasets/{id}");
    let first = json!([{ "inputs": { "q": 1 }, "expectations": { "a": "x" } }, { "inputs": { "q": 2 } }]);
    assert_eq!(upsert(&server, &id, first).await, json!({ "inserted_count": 2, "updated_count": 0 }));
    let again = json!([{ "inputs": { "q": 2 }, "outputs": 6 }]);
    assert_eq!(upsert(&server, &id, again).await, json!({ "inserted_count": 0, "updated_count": 1 }));
    let dataset = server.get(&path).await.json()["dataset"].clone();
    assert_eq!((&dataset["created_by"], &dataset["profile"]), (&json!("ann"), &json!("{\"num_records\": 2}")));
    let schema: Value = serde_json::from_str(dataset["schema"].as_str().unwrap()).unwrap();
    assert_eq!(
        schema,
        json!({ "inputs": { "q": "integer" }, "outputs": "integer", "expectations": { "a": "string" }, "version": "1.0" })
    );
    let page = server.get(&format!("{path}/records?max_results=1")).await.json();
    let token = page["next_page_token"].as_str().unwrap();
    let rest = server.get(&format!("{path}/records?max_results=1&page_token={token}")).await.json();
    let records = |page: &Value| -> Vec<Value> { serde_json::from_str(page["records"].as_str().unwrap()).unwrap() };
    assert_eq!((records(&page).len(), records(&rest).len(), rest.get("next_page_token")), (1, 1, None));
    let gone = json!({ "dataset_record_ids": [records(&page)[0]["dataset_record_id"]] });
    let deleted = server.send("DELETE", &format!("{path}/records"), &JSON, gone.to_string()).await.json();
    assert_eq!(deleted, json!({ "deleted_count": 1 }));
    assert_eq!(server.send("DELETE", &path, &[], "").await.json(), json!({}));
    assert_eq!(server.get(&path).await.refusal().0, 404);
}

#[tokio::test]
async fn datasets_are_tagged_and_searched() {
    let server = Server::new().await;
    let red = create(&server, "red", json!({ "team": "a" })).await;
    create(&server, "blue", json!({})).await;
    let tags = json!({ "tags": json!({ "n": 5, "team": "b" }).to_string() });
    server.send("PATCH", &format!("/api/3.0/mlflow/datasets/{red}/tags"), &JSON, tags.to_string()).await;
    server.send("DELETE", &format!("/api/3.0/mlflow/datasets/{red}/tags/n"), &[], "").await;
    let names = async |body: Value| -> Vec<Value> {
        let found = server.post("/api/3.0/mlflow/datasets/search", body).await.json();
        found["datasets"].as_array().cloned().unwrap_or_default().iter().map(|found| found["name"].clone()).collect()
    };
    assert_eq!(names(json!({ "filter_string": "tags.team = 'b'" })).await, ["red"]);
    assert_eq!(names(json!({ "order_by": ["name ASC"] })).await, ["blue", "red"]);
    assert_eq!(names(json!({ "experiment_ids": ["0"], "filter_string": "name LIKE 'b%'" })).await, ["blue"]);
    let made = server.post("/api/2.0/mlflow/experiments/create", json!({ "name": "other" })).await.json();
    let other = json!({ "experiment_ids": [made["experiment_id"]] });
    server.post(&format!("/api/3.0/mlflow/datasets/{red}/add-experiments"), other.clone()).await;
    assert_eq!(names(other.clone()).await, ["red"]);
    server.post(&format!("/api/3.0/mlflow/datasets/{red}/remove-experiments"), other).await;
    let ids = server.get(&format!("/api/3.0/mlflow/datasets/{red}/experiment-ids")).await.json();
    assert_eq!(ids, json!({ "experiment_ids": ["0"] }));
    let bad = server.post("/api/3.0/mlflow/datasets/search", json!({ "filter_string": "what = 'x'" })).await;
    assert_eq!(bad.refusal().0, 400);
}

#[tokio::test]
async fn what_is_no_dataset_or_record_is_refused() {
    let server = Server::new().await;
    let id = create(&server, "d", json!({})).await;
    assert_eq!(server.post("/api/3.0/mlflow/datasets/create", json!({})).await.refusal().0, 400);
    assert_eq!(
        server.post("/api/3.0/mlflow/datasets/create", json!({ "name": "x", "tags": "[" })).await.refusal().0,
        400
    );
    for records in ["", "{}", "[5]", r#"[{"inputs": 5}]"#, r#"[{"source": {"source_type": "X"}}]"#] {
        let reply = server.post(&format!("/api/3.0/mlflow/datasets/{id}/records"), json!({ "records": records })).await;
        assert_eq!(reply.refusal().0, 400, "{records}");
    }
    let missing = json!({ "records": "[{\"inputs\": {}}]" });
    assert_eq!(server.post("/api/3.0/mlflow/datasets/d-none/records", missing).await.refusal().0, 404);
    assert_eq!(server.get(&format!("/api/3.0/mlflow/datasets/{id}/records?page_token=x")).await.refusal().0, 400);
}
