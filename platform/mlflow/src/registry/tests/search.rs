use super::*;

fn names(reply: Reply, list: &str) -> Vec<String> {
    let found = ok(reply);
    let rows = found[list].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| row["name"].as_str().or(row["info"]["name"].as_str()).unwrap().to_owned()).collect()
}

#[tokio::test]
async fn models_are_found_in_pages_and_prompts_only_where_they_are_asked_for() {
    let server = Server::new().await;
    for name in ["b", "a", "c"] {
        model(&server, name).await;
    }
    let prompt = json!([{ "key": "mlflow.prompt.is_prompt", "value": "true" }]);
    ok(post(&server, "registered-models/create", json!({ "name": "p", "tags": prompt })).await);
    let first = ok(get(&server, "registered-models/search?max_results=2").await);
    let token = first["next_page_token"].as_str().unwrap();
    let rest = get(&server, &format!("registered-models/search?max_results=2&page_token={token}")).await;
    assert_eq!(
        (first["registered_models"][1]["name"].as_str(), names(rest, "registered_models")),
        (Some("b"), vec!["c".to_owned()])
    );
    let body = json!({ "filter": "name LIKE 'b%'", "order_by": ["name DESC"] });
    assert_eq!(names(post(&server, "registered-models/search", body).await, "registered_models"), ["b"]);
    let body = json!({ "filter": "tags.`mlflow.prompt.is_prompt` = 'true'" });
    assert_eq!(names(post(&server, "registered-models/search", body).await, "registered_models"), ["p"]);
    for query in ["max_results=1001", "max_results=0", "filter=name+%3E+%27a%27", "order_by=unknown", "page_token=x"] {
        let reply = get(&server, &format!("registered-models/search?{query}")).await;
        assert_eq!(reply.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()), "{query}");
    }
}

#[tokio::test]
async fn versions_are_found_newest_first() {
    let server = Server::new().await;
    model(&server, "m").await;
    for run in ["r1", "r2", "r1"] {
        version(&server, json!({ "name": "m", "run_id": run })).await;
    }
    let path = "model-versions/search?filter=name%3D%27m%27+AND+run_id%3D%27r1%27";
    let found = ok(get(&server, path).await)["model_versions"].take();
    assert_eq!((&found[0]["version"], &found[1]["version"]), (&json!("3"), &json!("1")));
    assert_eq!(ok(get(&server, "model-versions/search?filter=name%3D%27x%27").await), json!({}));
}

#[tokio::test]
async fn logged_models_are_found_by_what_they_are_ordered_by_objects() {
    let server = Server::new().await;
    for name in ["a", "b"] {
        let body = json!({ "experiment_id": "0", "name": name, "tags": [{ "key": "n", "value": name }] });
        ok(post(&server, "logged-models", body).await);
    }
    let search = async |fields: Value| {
        let mut body = json!({ "experiment_ids": ["0"] });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        post(&server, "logged-models/search", body).await
    };
    let descending = json!({ "order_by": [{ "field_name": "name", "ascending": false }] });
    assert_eq!(names(search(descending).await, "models"), ["b", "a"]);
    assert_eq!(names(search(json!({ "filter": "tags.n = 'a'" })).await, "models"), ["a"]);
    assert_eq!(ok(search(json!({ "experiment_ids": [] })).await), json!({}));
    for bad in
        [json!({ "order_by": [{}] }), json!({ "datasets": [{ "dataset_digest": "1" }] }), json!({ "order_by": "a" })]
    {
        assert_eq!(search(bad.clone()).await.refusal().0, 400, "{bad}");
    }
}
