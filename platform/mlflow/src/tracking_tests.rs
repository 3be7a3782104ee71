//! Experiments, runs and what they log, asked as a client asks.

use serde_json::{Value, json};

use crate::testing::{Reply, Server};

const BASE: &str = "/api/2.0/mlflow";

struct Client(Server);

impl Client {
    async fn new() -> Self {
        let server = Server::new().await;
        server.context.clock.set_ms(1_700_000_000_000);
        Self(server)
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.0.post(&format!("{BASE}/{path}"), body).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.0.get(&format!("{BASE}/{path}")).await
    }

    async fn ok(&self, path: &str, body: Value) -> Value {
        let reply = self.post(path, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// The message of a refusal with this status.
    async fn refused(&self, status: u16, path: &str, body: Value) -> String {
        let reply = self.post(path, body).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        reply.json()["message"].as_str().unwrap().to_owned()
    }

    async fn run(&self) -> String {
        let made = self.ok("runs/create", json!({ "experiment_id": "0", "start_time": 5, "run_name": "first" })).await;
        made["run"]["info"]["run_id"].as_str().unwrap().to_owned()
    }

    async fn run_of(&self, run: &str) -> Value {
        self.get(&format!("runs/get?run_id={run}")).await.json()["run"].clone()
    }
}

#[tokio::test]
async fn an_experiment_is_made_read_and_renamed() {
    let client = Client::new().await;
    let body = json!({ "name": "delays", "tags": [{ "key": "team", "value": "a" }] });
    assert_eq!(client.ok("experiments/create", body.clone()).await, json!({ "experiment_id": "1" }));
    let read = client.get("experiments/get-by-name?experiment_name=delays").await.json();
    assert_eq!(
        read["experiment"],
        json!({
            "experiment_id": "1",
            "name": "delays",
            "artifact_location": "mlflow-artifacts:/1",
            "lifecycle_stage": "active",
            "last_update_time": 1_700_000_000_000_i64,
            "creation_time": 1_700_000_000_000_i64,
            "tags": [{ "key": "team", "value": "a" }],
            "workspace": "default",
        })
    );
    let again = client.post("experiments/create", body).await;
    assert_eq!(again.refusal(), (400, "RESOURCE_ALREADY_EXISTS".to_owned()));
    client.ok("experiments/update", json!({ "experiment_id": "1", "new_name": "Default 2" })).await;
    let taken = client.post("experiments/update", json!({ "experiment_id": "1", "new_name": "Default" })).await;
    assert_eq!(taken.refusal(), (400, "RESOURCE_ALREADY_EXISTS".to_owned()));
    let why = client.refused(400, "experiments/create", json!({ "name": 5 })).await;
    let expected = "Invalid value 5 for parameter 'name' supplied:  Hint: Value was of type 'int'. See the API docs for \
                    more information about request parameters.";
    assert_eq!(why, expected);
    let located = json!({ "name": "x", "artifact_location": "runs:/1/model" });
    assert!(client.refused(400, "experiments/create", located).await.contains("runs:/"));
}

#[tokio::test]
async fn views_in_tags_are_limited() {
    let client = Client::new().await;
    let set = |key: String| client.post("experiments/set-experiment-tag", json!({ "experiment_id": "0", "key": key }));
    for view in 0..50 {
        assert_eq!(set(format!("mlflow.customView.view{view}")).await.status, 200);
    }
    assert!(set("mlflow.customView.view50".to_owned()).await.text().contains("maximum number of custom views"));
    assert_eq!(set("mlflow.customView.view49".to_owned()).await.status, 200);
    assert_eq!(set("other".to_owned()).await.status, 200);
}

#[tokio::test]
async fn a_new_run_has_its_name_twice_and_no_empty_lists() {
    let client = Client::new().await;
    let made = client.ok("runs/create", json!({ "experimentId": "0", "startTime": "7", "userId": "ada" })).await;
    let run = made["run"]["info"]["run_id"].as_str().unwrap().to_owned();
    let name = made["run"]["info"]["run_name"].as_str().unwrap();
    assert_eq!(name.split('-').count(), 3);
    assert_eq!(
        made["run"],
        json!({
            "info": {
                "run_id": run, "run_uuid": run, "run_name": name, "experiment_id": "0", "user_id": "ada",
                "status": "RUNNING", "start_time": 7, "artifact_uri": format!("mlflow-artifacts:/0/{run}/artifacts"),
                "lifecycle_stage": "active",
            },
            "data": { "tags": [{ "key": "mlflow.runName", "value": name }] },
            "inputs": {},
        })
    );
    let read = client.run_of(&run).await;
    assert_eq!((&read["info"], &read["data"]), (&made["run"]["info"], &made["run"]["data"]));
    assert_eq!((&read["inputs"], &read["outputs"]), (&json!({}), &json!({})));
    let tags = json!([{ "key": "mlflow.runName", "value": "a" }]);
    let differing = json!({ "experiment_id": "0", "run_name": "b", "tags": tags });
    assert!(client.refused(400, "runs/create", differing).await.contains("different values"));
}

#[tokio::test]
async fn a_run_ends_and_is_deleted() {
    let client = Client::new().await;
    let run = client.run().await;
    let body = json!({ "run_uuid": run, "status": "FINISHED", "end_time": 9, "run_name": "done" });
    let info = client.ok("runs/update", body).await["run_info"].clone();
    assert_eq!(
        (&info["status"], &info["end_time"], &info["run_name"]),
        (&json!("FINISHED"), &json!(9), &json!("done"))
    );
    let by_number = client.ok("runs/update", json!({ "run_id": run, "status": 4 })).await;
    assert_eq!(by_number["run_info"]["status"], "FAILED");
    assert!(
        client.refused(400, "runs/update", json!({ "run_id": run, "status": "SLEEPING" })).await.contains("status")
    );
    client.ok("runs/delete", json!({ "run_id": run })).await;
    let why = client.refused(400, "runs/set-tag", json!({ "run_id": run, "key": "a", "value": "b" })).await;
    assert_eq!(why, format!("The run {run} must be in the 'active' state. Current state is deleted."));
    client.ok("runs/restore", json!({ "run_id": run })).await;
    let unknown = client.post("runs/delete", json!({ "run_id": "nobody" })).await;
    assert_eq!(unknown.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
}

#[tokio::test]
async fn what_is_logged_is_read_back() {
    let client = Client::new().await;
    let run = client.run().await;
    for (value, step) in [(json!(1), 0), (json!("NaN"), 2), (json!(true), 1)] {
        let metric = json!({ "run_id": run, "key": "loss", "value": value, "timestamp": "10", "step": step });
        assert_eq!(client.ok("runs/log-metric", metric).await, json!({}));
    }
    client.ok("runs/log-parameter", json!({ "run_id": run, "key": "lr", "value": "0.1" })).await;
    client.ok("runs/set-tag", json!({ "run_id": run, "key": "note" })).await;
    let data = client.run_of(&run).await["data"].clone();
    assert_eq!(data["metrics"], json!([{ "key": "loss", "value": "NaN", "timestamp": 10, "step": 2 }]));
    assert_eq!(data["params"], json!([{ "key": "lr", "value": "0.1" }]));
    assert_eq!(data["tags"][1], json!({ "key": "note", "value": "" }));
    let changed = client.refused(400, "runs/log-parameter", json!({ "run_id": run, "key": "lr", "value": "1" })).await;
    let expected = format!(
        "Changing param values is not allowed. Param with key='lr' was already logged with value='0.1' for run ID='{run}'. \
         Attempted logging new value '1'."
    );
    assert_eq!(changed, expected);
    client.ok("runs/delete-tag", json!({ "run_id": run, "key": "note" })).await;
    let gone = client.refused(404, "runs/delete-tag", json!({ "run_id": run, "key": "note" })).await;
    assert_eq!(gone, format!("No tag with name: note in run with id {run}"));
    for (field, value) in
        [("timestamp", json!(-1)), ("step", json!(1.5)), ("value", json!("x")), ("key", json!("a//b"))]
    {
        let mut metric = json!({ "run_id": run, "key": "m", "value": 1, "timestamp": 1 });
        metric[field] = value;
        let name = if field == "key" { "name" } else { field };
        assert!(client.refused(400, "runs/log-metric", metric).await.contains(&format!("parameter '{name}' supplied")));
    }
}

#[tokio::test]
async fn a_batch_says_what_is_wrong_with_it_in_both_its_readings() {
    let client = Client::new().await;
    let run = client.run().await;
    let metric = |key: &str| json!({ "key": key, "value": 1, "timestamp": 1 });
    // An unknown field is ignored, and only the slow reading knows that.
    for extra in [json!({}), json!({ "unknown": 1 })] {
        let body = |fields: Value| {
            let mut body = json!({ "run_id": run });
            let all = fields.as_object().unwrap().iter().chain(extra.as_object().unwrap());
            all.for_each(|(key, value)| body[key] = value.clone());
            body
        };
        client.ok("runs/log-batch", body(json!({}))).await;
        for (fields, says) in [
            (json!({ "metrics": [metric("a"), { "key": "b", "timestamp": 1 }] }), "parameter 'metrics[1].value'."),
            (json!({ "metrics": [metric("a"), metric("a*")] }), "parameter 'metrics[1].name' supplied"),
            (json!({ "metrics": [{ "key": 5, "value": 1, "timestamp": 1 }] }), "parameter 'metrics[0].key' supplied"),
            (json!({ "metrics": "x" }), "parameter 'metrics' supplied"),
            (json!({ "metrics": [null] }), "parameter 'metrics' supplied"),
            (json!({ "params": [{ "key": "", "value": "1" }] }), "parameter 'params[0].key'."),
            (json!({ "tags": [{ "key": "a*", "value": "1" }] }), "parameter 'tags[0].key' supplied"),
            (
                json!({ "params": [{ "key": "a b", "value": "1" }, { "key": "a b", "value": "1" }] }),
                "keys have been submitted: ['a b']",
            ),
            (json!({ "metrics": vec![metric("a"); 1_001] }), "at most 1000 metrics. Got 1001 metrics."),
        ] {
            let why = client.refused(400, "runs/log-batch", body(fields)).await;
            assert!(why.contains(says), "{why}");
        }
        let whole = json!({ "metrics": [metric("a")], "params": [{ "key": "p", "value": "1" }], "tags": [] });
        client.ok("runs/log-batch", body(whole)).await;
    }
    let changed = json!({ "run_id": run, "params": [{ "key": "p", "value": "2" }], "metrics": [metric("never")] });
    let why = client.refused(400, "runs/log-batch", changed).await;
    assert!(why.contains("already logged='[{'key': 'p', 'old_value': '1', 'new_value': '2'}]' for run ID="), "{why}");
    let data = client.run_of(&run).await["data"].clone();
    assert_eq!((data["metrics"].as_array().unwrap().len(), data["params"].as_array().unwrap().len()), (1, 1));
}

#[tokio::test]
async fn a_history_is_answered_whole_and_in_pages() {
    let client = Client::new().await;
    let run = client.run().await;
    let none = client.get(&format!("metrics/get-history?run_id={run}&metric_key=loss")).await;
    assert_eq!(none.json(), json!({}));
    let step = |step: i64| json!({ "key": "loss", "value": 0.5, "timestamp": 100 + step, "step": step });
    for begin in (0..60_000).step_by(1_000) {
        let metrics: Vec<_> = (begin..begin + 1_000).map(step).collect();
        client.ok("runs/log-batch", json!({ "run_id": run, "metrics": metrics })).await;
    }
    let whole = client.get(&format!("metrics/get-history?run_id={run}&metric_key=loss")).await.json();
    let points = whole["metrics"].as_array().unwrap();
    assert_eq!((points.len(), &points[59_999]), (60_000, &step(59_999)));
    assert!(points.iter().enumerate().all(|(at, point)| point["step"] == at) && whole.get("next_page_token").is_none());
    let (mut read, mut token) = (Vec::new(), String::new());
    for size in [1, 55_000, 9_000] {
        let query = format!("metrics/get-history?run_id={run}&metric_key=loss&max_results={size}{token}");
        let page = client.get(&query).await.json();
        read.extend(page["metrics"].as_array().unwrap().clone());
        token = page["next_page_token"].as_str().map(|token| format!("&page_token={token}")).unwrap_or_default();
    }
    assert!(token.is_empty() && read == *points);
    for bad in ["max_results=0", "max_results=x", "page_token=nonsense"] {
        let refused = client.get(&format!("metrics/get-history?run_id={run}&metric_key=loss&{bad}")).await;
        assert_eq!(refused.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn histories_of_several_runs_are_joined_and_sampled() {
    let client = Client::new().await;
    let mut runs = [client.run().await, client.run().await];
    runs.sort();
    for run in &runs {
        let metrics: Vec<_> =
            (0..10).map(|step| json!({ "key": "m", "value": 1, "timestamp": 5 + step, "step": step })).collect();
        client.ok("runs/log-batch", json!({ "run_id": run, "metrics": metrics })).await;
    }
    let [first, second] = &runs;
    let both = format!("metrics/get-history-bulk?run_id={second}&run_id={first}&metric_key=m&max_results=11");
    let metrics = client.get(&both).await.json()["metrics"].as_array().unwrap().clone();
    assert_eq!(metrics[10], json!({ "key": "m", "value": 1.0, "timestamp": 5, "step": 0, "run_id": second }));
    assert_eq!((metrics.len(), &metrics[0]["run_id"]), (11, &json!(first)));
    let none = client.get(&format!("metrics/get-history-bulk?run_id={first}&metric_key=none")).await;
    assert_eq!(none.json(), json!({ "metrics": [] }));
    let interval = async |query: &str| {
        let path = "metrics/get-history-bulk-interval";
        client.get(&format!("{path}?run_ids={first}&run_ids={second}&metric_key=m&{query}")).await
    };
    let steps: Vec<_> = interval("max_results=3").await.json()["metrics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["step"].as_i64().unwrap())
        .collect();
    assert_eq!(steps, [0, 4, 9, 0, 4, 9]);
    assert_eq!(interval("start_step=50&end_step=60").await.json(), json!({}));
    for (query, says) in [
        ("start_step=1", "both must be specified"),
        ("start_step=2&end_step=1", "must be greater"),
        ("max_results=0", "between 1 and 2500"),
        ("max_results=2501", "between 1 and 2500"),
    ] {
        let refused = interval(query).await;
        assert!(refused.status == 400 && refused.text().contains(says), "{query}: {}", refused.text());
    }
}

#[tokio::test]
async fn inputs_and_outputs_are_part_of_the_run() {
    let client = Client::new().await;
    let run = client.run().await;
    let dataset = json!({ "name": "d", "digest": "abc", "source_type": "s3", "source": "{}", "schema": "{}" });
    let context = json!({ "key": "mlflow.data.context", "value": "training" });
    let input = json!({ "tags": [context], "dataset": dataset });
    let body = json!({ "run_id": run, "datasets": [input, input], "models": [{ "model_id": "m-1" }] });
    assert_eq!(client.ok("runs/log-inputs", body).await, json!({}));
    client.ok("runs/outputs", json!({ "run_id": run, "models": [{ "model_id": "m-2", "step": 3 }] })).await;
    let read = client.run_of(&run).await;
    assert_eq!(read["inputs"], json!({ "dataset_inputs": [input], "model_inputs": [{ "model_id": "m-1" }] }));
    assert_eq!(read["outputs"], json!({ "model_outputs": [{ "model_id": "m-2", "step": 3 }] }));
    let found = client.ok("experiments/search-datasets", json!({ "experiment_ids": ["0"] })).await;
    let summary = json!({ "experiment_id": "0", "name": "d", "digest": "abc", "context": "training" });
    assert_eq!(found, json!({ "dataset_summaries": [summary] }));
    assert!(client.refused(400, "runs/outputs", json!({ "run_id": run })).await.contains("parameter 'models'"));
    let long = json!({ "dataset": { "name": "x".repeat(501), "digest": "a", "source_type": "s", "source": "s" } });
    assert!(client.refused(400, "runs/log-inputs", json!({ "run_id": run, "datasets": [long] })).await.contains("500"));
}

#[tokio::test]
async fn noted_models_are_a_list_in_a_tag() {
    let client = Client::new().await;
    let run = client.run().await;
    let model = json!({ "artifact_path": "model", "flavors": { "f": { "config": 1, "x": 2 } }, "utc_time_created": "now",
                        "run_id": run, "signature": {} });
    for _ in 0..2 {
        client.ok("runs/log-model", json!({ "run_id": run, "model_json": model.to_string() })).await;
    }
    let tags = client.run_of(&run).await["data"]["tags"].clone();
    let noted = tags.as_array().unwrap().iter().find(|tag| tag["key"] == "mlflow.log-model.history").unwrap();
    let noted: Value = serde_json::from_str(noted["value"].as_str().unwrap()).unwrap();
    assert_eq!((noted.as_array().unwrap().len(), &noted[1]["flavors"]), (2, &json!({ "f": { "x": 2 } })));
    assert!(noted[0].get("signature").is_none());
    let half = client.refused(400, "runs/log-model", json!({ "run_id": run, "model_json": "{}" })).await;
    assert!(half.contains("missing mandatory fields"), "{half}");
}

#[tokio::test]
async fn a_workspace_sees_its_own_only() {
    let client = Client::new().await;
    let run = client.run().await;
    let ask = async |workspace: &str, path: &str| {
        client.0.send("GET", &format!("{BASE}/{path}"), &[("X-MLFLOW-WORKSPACE", workspace)], "").await
    };
    assert_eq!(ask("nowhere", "experiments/get?experiment_id=0").await.status, 404);
    client.0.context.ctx.store.ensure_project(&"team-a".parse().unwrap(), 1).await.unwrap();
    for path in [format!("runs/get?run_id={run}"), "experiments/get?experiment_id=0".to_owned()] {
        assert_eq!(ask("team-a", &path).await.status, 404, "{path}");
        assert_eq!(ask("default", &path).await.status, 200, "{path}");
        assert_eq!(ask("", &path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn requests_in_another_form_are_refused() {
    let client = Client::new().await;
    let run = client.run().await;
    let send = async |kind: Option<&str>, body: String| {
        let headers: Vec<_> = kind.iter().map(|kind| ("content-type", *kind)).collect();
        client.0.send("POST", &format!("{BASE}/runs/log-batch"), &headers, body).await
    };
    let body = json!({ "run_id": run }).to_string();
    assert_eq!(send(Some("application/json; charset=utf-8"), body.clone()).await.status, 200);
    assert_eq!(send(Some("application/json"), json!(body).to_string()).await.status, 200);
    for (kind, body) in [(None, body.as_str()), (Some("text/plain"), &body), (Some("application/json"), "[1]")] {
        assert_eq!(send(kind, body.to_owned()).await.refusal(), (400, "INVALID_PARAMETER_VALUE".to_owned()), "{body}");
    }
    let both = client.refused(400, "runs/set-tag", json!({ "run_id": run, "runId": run, "key": "k" })).await;
    assert_eq!(both, "Request specifies both 'run_id' and 'runId'; provide only one of them.");
    assert_eq!(client.get("runs/create").await.status, 405);
}
