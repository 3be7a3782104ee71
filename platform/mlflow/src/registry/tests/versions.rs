use super::*;

/// A run and where its files are.
async fn run(server: &Server) -> (String, String) {
    let store = &server.context.ctx.store;
    let new = tiegel_store::NewRun {
        run_id: server.context.ctx.new_run_id(),
        experiment_id: 0,
        name: "run".to_owned(),
        user_id: String::new(),
        start_ms: 1,
        job_id: None,
        source: json!({}),
        tags: vec![],
    };
    let row = store.create_run(&tiegel_store::Scope::All, new).await.unwrap();
    (row.run_id.to_string(), row.artifact_uri)
}

#[tokio::test]
async fn a_version_has_all_that_clients_read() {
    let server = Server::new().await;
    model(&server, "m").await;
    let tags = json!([{ "key": "k", "value": "v" }]);
    let made = version(&server, json!({ "name": "m", "run_id": "r1", "tags": tags, "description": "d" })).await;
    let expected = json!({
        "name": "m", "version": "1", "creation_timestamp": made["creation_timestamp"],
        "last_updated_timestamp": made["creation_timestamp"], "current_stage": "None", "description": "d",
        "source": "s3://bucket/model", "run_id": "r1", "status": "READY", "run_link": "", "tags": tags,
    });
    assert_eq!(made, expected);
    assert_eq!(ok(get(&server, "model-versions/get?name=m&version=1").await)["model_version"], made);
    let uri = ok(get(&server, "model-versions/get-download-uri?name=m&version=1").await);
    assert_eq!(uri, json!({ "artifact_uri": "s3://bucket/model" }));

    for (method, path, body) in [
        ("PATCH", "update", json!({ "description": "new" })),
        ("POST", "transition-stage", json!({ "stage": "production", "archive_existing_versions": true })),
        ("POST", "set-tag", json!({ "key": "a", "value": "b" })),
        ("DELETE", "delete-tag", json!({ "key": "k" })),
    ] {
        let mut body = body;
        body["name"] = json!("m");
        body["version"] = json!("1");
        ok(with(&server, method, &format!("model-versions/{path}"), body).await);
    }
    let changed = ok(get(&server, "model-versions/get?name=m&version=1").await)["model_version"].take();
    assert_eq!((&changed["description"], &changed["current_stage"]), (&json!("new"), &json!("Production")));
    assert_eq!(changed["tags"], json!([{ "key": "a", "value": "b" }]));
    let latest = json!({ "name": "m", "stages": ["PRODUCTION"] });
    let latest = ok(post(&server, "registered-models/get-latest-versions", latest).await);
    assert_eq!(latest["model_versions"], json!([changed]));
    let latest = ok(get(&server, "registered-models/get-latest-versions?name=m&stages=None").await);
    assert_eq!(latest, json!({}));
    let gone = json!({ "name": "m", "version": "1" });
    assert_eq!(ok(with(&server, "DELETE", "model-versions/delete", gone).await), json!({}));
    let missing = refused(&get(&server, "model-versions/get?name=m&version=1").await).2;
    assert_eq!(missing, "Model Version (name=m, version=1) not found");
}

#[tokio::test]
async fn a_source_lies_in_the_run_that_is_named() {
    let server = Server::new().await;
    let (run_id, place) = run(&server).await;
    model(&server, "m").await;
    let create = async |source: &str, run_id: &str| {
        let body = json!({ "name": "m", "source": source, "run_id": run_id });
        post(&server, "model-versions/create", body).await
    };
    let own = format!("{place}/model");
    let description = "signature:\n  inputs: '[{\"type\": \"double\", \"name\": \"x\"}]'\n";
    let path = own.strip_prefix("mlflow-artifacts:/").unwrap();
    server.put(&format!("/api/2.0/mlflow-artifacts/artifacts/{path}/MLmodel"), description).await;
    assert_eq!(ok(create(&own, &run_id).await)["model_version"]["source"], json!(own));
    assert_eq!(ok(create(&format!("runs:/{run_id}/model"), &run_id).await)["model_version"]["version"], "2");
    let row = server.context.ctx.store.model_version(&"default".parse().unwrap(), "m", 1).await.unwrap().unwrap();
    assert_eq!(row.signature.unwrap()["inputs"], json!([{ "type": "double", "name": "x" }]));
    for source in [
        format!("{place}/../../other"),
        "mlflow-artifacts:/0/other/artifacts".to_owned(),
        "runs:/other/model".to_owned(),
        "/etc/passwd".to_owned(),
        "file:///etc/passwd".to_owned(),
        "http://169.254.169.254/model".to_owned(),
        "models:/".to_owned(),
    ] {
        let reply = create(&source, &run_id).await;
        assert_eq!(reply.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()), "{source}: {}", reply.text());
    }
    assert_eq!(create(&own, "").await.refusal().0, 400);
    assert_eq!(create(&own, "unknown").await.refusal().0, 400);
}

#[tokio::test]
async fn a_version_of_a_version_has_its_files_and_its_run() {
    let server = Server::new().await;
    model(&server, "m").await;
    model(&server, "copy").await;
    version(&server, json!({ "name": "m", "run_id": "r1" })).await;
    ok(post(&server, "registered-models/alias", json!({ "name": "m", "alias": "best", "version": "1" })).await);
    for source in ["models:/m/1", "models:/m@best", "models:/m/latest", "models:/m/none"] {
        let made = version(&server, json!({ "name": "copy", "source": source })).await;
        assert_eq!((&made["source"], &made["run_id"]), (&json!("models:/m/1"), &json!("r1")), "{source}");
    }
    let uri = ok(get(&server, "model-versions/get-download-uri?name=copy&version=4").await);
    assert_eq!(uri["artifact_uri"], "s3://bucket/model");
    let other_run = json!({ "name": "copy", "source": "models:/m/1", "run_id": "r2" });
    assert_eq!(post(&server, "model-versions/create", other_run).await.refusal().0, 400);
    for source in ["models:/m/9", "models:/x/1", "models:/m/Staging"] {
        let reply = post(&server, "model-versions/create", json!({ "name": "copy", "source": source })).await;
        assert_eq!(reply.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()), "{source}");
    }
}

#[tokio::test]
async fn a_prompt_has_no_files_and_is_no_source() {
    let server = Server::new().await;
    let prompt = json!([{ "key": "mlflow.prompt.is_prompt", "value": "true" }]);
    ok(post(&server, "registered-models/create", json!({ "name": "p", "tags": prompt })).await);
    let made = version(&server, json!({ "name": "p", "source": "dummy-source", "tags": prompt })).await;
    assert_eq!(made["source"], "dummy-source");
    let elsewhere = json!({ "name": "p", "source": "s3://bucket/x", "tags": prompt });
    assert_eq!(post(&server, "model-versions/create", elsewhere).await.refusal().0, 400);
    model(&server, "m").await;
    let from_prompt = json!({ "name": "m", "source": "models:/p/1" });
    let refusal = refused(&post(&server, "model-versions/create", from_prompt).await).2;
    assert!(refusal.contains("Prompt versions cannot be used"), "{refusal}");
}

#[tokio::test]
async fn a_logged_model_becomes_a_version() {
    let server = Server::new().await;
    model(&server, "m").await;
    let logged = json!({ "experiment_id": "0", "name": "forest", "source_run_id": "r1" });
    let info = ok(post(&server, "logged-models", logged).await)["model"]["info"].take();
    let id = info["model_id"].as_str().unwrap();
    let source = format!("models:/{id}");
    let unnamed = json!({ "name": "m", "source": source });
    assert_eq!(post(&server, "model-versions/create", unnamed).await.refusal().0, 400);
    let made = version(&server, json!({ "name": "m", "source": source, "model_id": id })).await;
    assert_eq!((&made["source"], &made["run_id"], &made["model_id"]), (&json!(source), &json!("r1"), &json!(id)));
    let uri = ok(get(&server, "model-versions/get-download-uri?name=m&version=1").await);
    assert_eq!(uri["artifact_uri"], info["artifact_uri"]);
    let inside = format!("{}/data", info["artifact_uri"].as_str().unwrap());
    version(&server, json!({ "name": "m", "source": inside, "model_id": id })).await;
    let tags = ok(get(&server, &format!("logged-models/{id}")).await)["model"]["info"]["tags"].take();
    let value: Value = serde_json::from_str(tags[0]["value"].as_str().unwrap()).unwrap();
    assert_eq!(value, json!([{ "name": "m", "version": 1 }, { "name": "m", "version": 2 }]));
}
