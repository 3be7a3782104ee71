use std::sync::atomic::Ordering;

use super::*;

#[tokio::test]
async fn a_model_is_made_found_changed_and_deleted() {
    let server = Server::new().await;
    let tags = json!([{ "key": "team", "value": "weather" }]);
    let body = json!({ "name": "Größe & co.", "description": "d", "tags": tags });
    let made = ok(post(&server, "registered-models/create", body.clone()).await)["registered_model"].take();
    assert_eq!((&made["name"], &made["description"], &made["tags"]), (&body["name"], &json!("d"), &tags));
    assert!(made["creation_timestamp"].is_i64() && made.get("aliases").is_none() && made.get("user_id").is_none());
    let path = "registered-models/get?name=Gr%C3%B6%C3%9Fe+%26+co.";
    assert_eq!(ok(get(&server, path).await)["registered_model"], made);

    let taken = refused(&post(&server, "registered-models/create", body).await);
    let expected = "Registered Model (name=Größe & co.) already exists.";
    assert_eq!(taken, (400, "RESOURCE_ALREADY_EXISTS".to_owned(), expected.to_owned()));
    let prompt = json!({ "name": "Größe & co.", "tags": [{ "key": "mlflow.prompt.is_prompt", "value": "true" }] });
    let taken = refused(&post(&server, "registered-models/create", prompt).await).2;
    assert!(taken.starts_with("Tried to create a prompt with name 'Größe & co.'"), "{taken}");

    let update = json!({ "name": "Größe & co.", "description": "new" });
    let updated = ok(with(&server, "PATCH", "registered-models/update", update).await);
    assert_eq!(updated["registered_model"]["description"], "new");
    let rename = json!({ "name": "Größe & co.", "new_name": "size" });
    assert_eq!(ok(post(&server, "registered-models/rename", rename).await)["registered_model"]["name"], "size");
    assert_eq!(ok(with(&server, "DELETE", "registered-models/delete", json!({ "name": "size" })).await), json!({}));
    let missing = refused(&get(&server, "registered-models/get?name=size").await);
    let expected = "Registered Model with name=size not found";
    assert_eq!(missing, (404, "RESOURCE_DOES_NOT_EXIST".to_owned(), expected.to_owned()));
}

#[tokio::test]
async fn an_alias_is_set_read_and_deleted_and_each_move_is_in_the_audit() {
    let server = Server::new().await;
    model(&server, "m").await;
    version(&server, json!({ "name": "m" })).await;
    version(&server, json!({ "name": "m" })).await;
    let before = server.changes.load(Ordering::Relaxed);
    let alias = |version: &str| json!({ "name": "m", "alias": "best", "version": version });
    let basic = [("content-type", "application/json"), ("authorization", "Basic YW5hOnNlY3JldA==")];
    let path = format!("{BASE}/registered-models/alias");
    for version in ["1", "2", "2"] {
        assert_eq!(ok(server.send("POST", &path, &basic, alias(version).to_string()).await), json!({}));
    }
    assert_eq!(server.changes.load(Ordering::Relaxed), before + 3, "endpoints are told");
    let found = ok(get(&server, "registered-models/alias?name=m&alias=best").await)["model_version"].take();
    assert_eq!((&found["version"], &found["aliases"]), (&json!("2"), &json!(["best"])));
    let listed = ok(get(&server, "registered-models/get?name=m").await)["registered_model"].take();
    assert_eq!(listed["aliases"], json!([{ "alias": "best", "version": "2" }]));
    let newest = ok(get(&server, "registered-models/alias?name=m&alias=Latest").await);
    assert_eq!(newest["model_version"]["version"], "2");

    let named = json!({ "name": "m", "alias": "best" });
    assert_eq!(ok(with(&server, "DELETE", "registered-models/alias", named).await), json!({}));
    let missing = refused(&get(&server, "registered-models/alias?name=m&alias=best").await);
    let expected = "Registered model alias best not found.";
    assert_eq!(missing, (400, "INVALID_PARAMETER_VALUE".to_owned(), expected.to_owned()));
    let audit = server.context.ctx.store.audit(9, None).await.unwrap();
    let lines: Vec<_> = audit.iter().rev().map(|row| format!("{} {} {}", row.actor, row.action, row.detail)).collect();
    let expected = [
        r#"mlflow client ana alias.set {"from":null,"to":1}"#,
        r#"mlflow client ana alias.set {"from":1,"to":2}"#,
        r#"mlflow client alias.delete {"from":2}"#,
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn names_and_aliases_that_mlflow_refuses_are_refused() {
    let server = Server::new().await;
    model(&server, "m").await;
    version(&server, json!({ "name": "m" })).await;
    for name in ["a/b", "a:b", "..", " ", ""] {
        let reply = post(&server, "registered-models/create", json!({ "name": name })).await;
        assert_eq!(reply.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()), "{name}");
    }
    for alias in ["latest", "v1", "a b", ""] {
        let body = json!({ "name": "m", "alias": alias, "version": "1" });
        let reply = post(&server, "registered-models/alias", body).await;
        assert_eq!(reply.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()), "{alias}");
    }
    let body = json!({ "name": "m", "alias": "a", "version": "7" });
    let missing = refused(&post(&server, "registered-models/alias", body).await).2;
    assert_eq!(missing, "Model Version (name=m, version=7) not found");
    let body = json!({ "name": "m", "alias": "a", "version": "x" });
    let invalid = refused(&post(&server, "registered-models/alias", body).await).2;
    assert_eq!(invalid, "Parameter 'version' must be an integer, got 'x'.");
}

#[tokio::test]
async fn another_workspace_has_other_models() {
    let server = Server::new().await;
    model(&server, "m").await;
    server.context.ctx.store.ensure_project(&"lab".parse().unwrap(), 1).await.unwrap();
    let headers = [("content-type", "application/json"), ("x-mlflow-workspace", "lab")];
    let read = server.send("GET", &format!("{BASE}/registered-models/get?name=m"), &headers, "").await;
    assert_eq!(read.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    let path = format!("{BASE}/registered-models/delete");
    let deleted = server.send("DELETE", &path, &headers, json!({ "name": "m" }).to_string()).await;
    assert_eq!(deleted.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    let path = format!("{BASE}/registered-models/create");
    let made = server.send("POST", &path, &headers, json!({ "name": "m" }).to_string()).await;
    assert_eq!(made.status, 200, "names are unique in a project");
}
