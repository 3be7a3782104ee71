use serde_json::{Value, json};

use crate::testing::{Reply, Server};

const BASE_NS: i64 = 1_700_000_000_000_000_000;

async fn experiment(server: &Server, name: &str) -> String {
    let made = server.post("/api/2.0/mlflow/experiments/create", json!({ "name": name })).await;
    made.json()["experiment_id"].as_str().unwrap().to_owned()
}

fn location(experiment: &str) -> Value {
    json!({ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": experiment } })
}

fn trace(id: &str, experiment: &str) -> Value {
    json!({
        "trace_id": id, "trace_location": location(experiment), "request_time": "2024-05-01T10:00:00.123Z",
        "execution_duration": "1.5s", "state": "OK", "tags": { "mlflow.traceName": "n", "team": "red" },
        "trace_metadata": { "mlflow.trace.session": "s", "mlflow.trace.tokenUsage": "{\"total_tokens\": 7}" },
    })
}

async fn start(server: &Server, info: Value) -> Reply {
    server.post("/api/3.0/mlflow/traces", json!({ "trace": { "trace_info": info } })).await
}

fn span(id: &str, parent: &str, name: &str, attributes: Value) -> Value {
    json!({
        "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": id, "parentSpanId": parent, "name": name,
        "startTimeUnixNano": BASE_NS.to_string(), "endTimeUnixNano": (BASE_NS + 5_000_000).to_string(),
        "attributes": attributes, "status": { "code": 1 },
    })
}

const TRACE: &str = "tr-0102030405060708090a0b0c0d0e0f10";

async fn export(server: &Server, experiment: &str, spans: Vec<Value>) -> Reply {
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": "shop" } }] });
    let body = json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "spans": spans }] }] });
    let headers = [("x-mlflow-experiment-id", experiment), ("content-type", "application/json")];
    server.send("POST", "/v1/traces", &headers, body.to_string()).await
}

async fn search(server: &Server, experiment: &str, filter: &str) -> Reply {
    let body = json!({ "locations": [location(experiment)], "filter": filter, "max_results": 2 });
    server.post("/api/3.0/mlflow/traces/search", body).await
}

async fn found(server: &Server, experiment: &str, filter: &str) -> Vec<String> {
    let reply = search(server, experiment, filter).await;
    let traces = reply.json()["traces"].as_array().cloned().unwrap_or_default();
    traces.iter().map(|trace| trace["trace_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_trace_reads_back_as_it_was_sent() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    let made = start(&server, trace("tr-1", &exp)).await.json();
    let info = &made["trace"]["trace_info"];
    assert_eq!(*info, server.get("/ajax-api/3.0/mlflow/traces/tr-1").await.json()["trace"]["trace_info"]);
    assert_eq!(
        (&info["request_time"], &info["execution_duration"]),
        (&json!("2024-05-01T10:00:00.123Z"), &json!("1.500s"))
    );
    let metadata = json!({
        "mlflow.trace.session": "s", "mlflow.trace.tokenUsage": "{\"total_tokens\": 7}", "mlflow.trace.infoFinalized": "true",
    });
    assert_eq!(info["trace_metadata"], metadata);
    let place = format!("mlflow-artifacts:/{exp}/traces/tr-1/artifacts");
    assert_eq!(info["tags"], json!({ "mlflow.traceName": "n", "team": "red", "mlflow.artifactLocation": place }));
    let old = server.get("/api/2.0/mlflow/traces/tr-1/info").await.json();
    assert_eq!((&old["trace_info"]["status"], &old["trace_info"]["execution_time_ms"]), (&json!("OK"), &json!(1_500)));
}

#[tokio::test]
async fn spans_become_a_trace_that_is_read_and_searched() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    let text = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
    let attributes = json!([text("mlflow.spanType", "CHAIN"), text("mlflow.spanInputs", "{\"q\": 1}")]);
    let child = span("0202020202020202", "0101010101010101", "child", json!([text("colour", "deep blue")]));
    assert_eq!(export(&server, &exp, vec![child]).await.status, 200);
    assert_eq!(export(&server, &exp, vec![span("0101010101010101", "", "root", attributes)]).await.text(), "{}");
    let whole = server.get(&format!("/api/3.0/mlflow/traces/get?trace_id={TRACE}")).await.json();
    let names: Vec<_> = whole["trace"]["spans"].as_array().unwrap().iter().map(|span| span["name"].clone()).collect();
    assert_eq!(names, ["root", "child"]);
    let info = &whole["trace"]["trace_info"];
    assert_eq!((&info["state"], &info["request_preview"]), (&json!("OK"), &json!("{\"q\": 1}")));
    assert_eq!(
        (&info["tags"]["service.name"], &info["tags"]["mlflow.trace.spansLocation"]),
        (&json!("shop"), &json!("TRACKING_STORE"))
    );
    for filter in [
        "name = 'root'",
        "span.name = 'child'",
        "span.type = 'CHAIN' AND span.status = 'OK'",
        "span.name RLIKE '^ch' AND span.attributes.colour LIKE '%blue'",
        "span.attributes.colour = 'deep blue'",
        "trace.text ILIKE '%DEEP%'",
        "tags.`service.name` = 'shop' AND execution_time_ms = 5",
    ] {
        assert_eq!(found(&server, &exp, filter).await, [TRACE], "{filter}");
    }
    // All conditions on spans are about one span.
    assert!(found(&server, &exp, "span.type = 'CHAIN' AND span.name = 'child'").await.is_empty());
    let file = server.get(&format!("/ajax-api/3.0/mlflow/get-trace-artifact?request_id={TRACE}")).await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=traces.json");
    assert_eq!(file.json()["spans"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_trace_whose_spans_are_not_all_there_is_given_in_part_if_asked() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    export(&server, &exp, vec![span("0101010101010101", "", "root", json!([]))]).await;
    let mut info = trace(TRACE, &exp);
    info["trace_metadata"] = json!({ "mlflow.trace.sizeStats": "{\"num_spans\": 2}" });
    start(&server, info).await;
    let part = server.get(&format!("/api/3.0/mlflow/traces/get?trace_id={TRACE}&allow_partial=true")).await;
    assert_eq!(part.json()["trace"]["spans"].as_array().unwrap().len(), 1);
    assert_eq!(server.get(&format!("/api/3.0/mlflow/traces/batchGet?trace_ids={TRACE}")).await.json(), json!({}));
    let late = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        export(&server, &exp, vec![span("0202020202020202", "0101010101010101", "late", json!([]))]).await
    };
    let uri = format!("/api/3.0/mlflow/traces/get?trace_id={TRACE}");
    let (whole, _) = tokio::join!(server.get(&uri), late);
    assert_eq!(whole.json()["trace"]["spans"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn pages_of_a_search_follow_each_other() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    for id in ["tr-1", "tr-2", "tr-3"] {
        start(&server, trace(id, &exp)).await;
    }
    let first = search(&server, &exp, "").await.json();
    let body = json!({
        "locations": [location(&exp)], "filter": "", "max_results": 2, "page_token": first["next_page_token"],
    });
    let second = server.post("/api/3.0/mlflow/traces/search", body.clone()).await.json();
    assert_eq!((first["traces"].as_array().unwrap().len(), &second["traces"][0]["trace_id"]), (2, &json!("tr-3")));
    assert!(second.get("next_page_token").is_none());
    let other = json!({ "filter": "name = 'n'" });
    let mut mixed = body;
    mixed["filter"] = other["filter"].clone();
    assert_eq!(server.post("/api/3.0/mlflow/traces/search", mixed).await.refusal().0, 400);
    let old = server.get(&format!("/api/2.0/mlflow/traces?experiment_ids={exp}&max_results=1")).await.json();
    assert_eq!(old["traces"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_said_is_searched_and_counted() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    for id in ["tr-1", "tr-2"] {
        start(&server, trace(id, &exp)).await;
    }
    let path = "/api/3.0/mlflow/traces/tr-1/assessments";
    let said = |value: Value| json!({ "assessment": { "assessment_name": "good", "feedback": { "value": value } } });
    let first = server.post(path, said(json!(0.5))).await.json();
    let id = first["assessment"]["assessment_id"].as_str().unwrap().to_owned();
    assert_eq!(first["assessment"]["feedback"], json!({ "value": 0.5 }));
    for (filter, expected) in [
        ("feedback.good > 0.4", &["tr-1"][..]),
        ("feedback.good = '0.5'", &["tr-1"]),
        ("feedback.good > 0.5", &[]),
        ("feedback.good IS NULL", &["tr-2"]),
        ("feedback.good RLIKE '^0'", &["tr-1"]),
    ] {
        assert_eq!(found(&server, &exp, filter).await, expected, "{filter}");
    }
    let body = json!({ "assessment": { "feedback": { "value": "yes" } }, "update_mask": "feedback" });
    let headers = [("content-type", "application/json")];
    let changed = server.send("PATCH", &format!("{path}/{id}"), &headers, body.to_string()).await.json();
    assert_eq!(
        (&changed["assessment"]["feedback"]["value"], &changed["assessment"]["assessment_name"]),
        (&json!("yes"), &json!("good"))
    );
    assert_eq!(found(&server, &exp, "feedback.good = 'yes'").await, ["tr-1"]);
    let metric = json!({
        "experiment_ids": [exp], "view_type": "ASSESSMENTS", "metric_name": "assessment_value",
        "aggregations": [{ "aggregation_type": "AVG" }, { "aggregation_type": "PERCENTILE", "percentile_value": 50 }],
        "dimensions": ["assessment_name"],
    });
    let points = server.post("/api/3.0/mlflow/traces/metrics", metric).await.json();
    let point = json!({
        "metric_name": "assessment_value", "dimensions": { "assessment_name": "good" }, "values": { "AVG": 1.0, "P50.0": 1.0 },
    });
    assert_eq!(points, json!({ "data_points": [point] }));
    let both = json!({ "experiment_ids": [exp], "filter_string1": "status = 'OK'", "filter_string2": "feedback.good = 'yes'" });
    let correlation = server.post("/api/3.0/mlflow/traces/calculate-filter-correlation", both).await.json();
    assert_eq!(
        (&correlation["filter1_count"], &correlation["joint_count"], &correlation["total_count"]),
        (&json!(2), &json!(1), &json!(2))
    );
    assert_eq!(server.send("DELETE", &format!("{path}/{id}"), &[], "").await.json(), json!({}));
    assert_eq!(server.get(&format!("{path}/{id}")).await.refusal().0, 404);
}

#[tokio::test]
async fn feedback_on_a_session_counts_for_all_its_traces() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    for id in ["tr-1", "tr-2"] {
        start(&server, trace(id, &exp)).await;
    }
    let mut alone = trace("tr-3", &exp);
    alone["trace_metadata"] = json!({});
    start(&server, alone).await;
    let said = json!({ "assessment": {
        "assessment_name": "calm", "feedback": { "value": true }, "metadata": { "mlflow.trace.session": "s" },
    } });
    server.post("/api/3.0/mlflow/traces/tr-1/assessments", said).await;
    assert_eq!(found(&server, &exp, "feedback.calm = 'true'").await, ["tr-1", "tr-2"]);
    assert_eq!(found(&server, &exp, "feedback.calm IS NULL").await, ["tr-3"]);
    assert_eq!(found(&server, &exp, "metadata.`mlflow.trace.session` = 's'").await, ["tr-1", "tr-2"]);
}

#[tokio::test]
async fn traces_are_linked_to_runs_and_prompts() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    start(&server, trace("tr-1", &exp)).await;
    let link = json!({ "trace_ids": ["tr-1"], "run_id": "r1" });
    assert_eq!(server.post("/api/2.0/mlflow/traces/link-to-run", link).await.json(), json!({}));
    let prompts = json!({ "trace_id": "tr-1", "prompt_versions": [{ "name": "p", "version": "2" }] });
    assert_eq!(server.post("/api/2.0/mlflow/traces/link-prompts", prompts).await.json(), json!({}));
    assert_eq!(found(&server, &exp, "run_id = 'r1'").await, ["tr-1"]);
    assert_eq!(found(&server, &exp, "prompt = 'p/2'").await, ["tr-1"]);
    assert!(found(&server, &exp, "run_id = 'r2'").await.is_empty());
}

#[tokio::test]
async fn traces_of_another_workspace_do_not_exist() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    start(&server, trace("tr-1", &exp)).await;
    let other = "ships".parse().unwrap();
    server.context.ctx.store.ensure_project(&other, 1).await.unwrap();
    let headers = [("x-mlflow-workspace", "ships"), ("content-type", "application/json")];
    let theirs = server.send("GET", "/api/3.0/mlflow/traces/tr-1", &headers, "").await;
    assert_eq!(theirs.refusal(), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    let body = json!({ "locations": [location(&exp)] }).to_string();
    assert_eq!(server.send("POST", "/api/3.0/mlflow/traces/search", &headers, body).await.json(), json!({}));
}

#[tokio::test]
async fn bad_requests_are_refused_by_name() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    let refused = async |path: &str, body: Value| server.post(path, body).await.refusal();
    let invalid = (400, "INVALID_PARAMETER_VALUE".to_owned());
    assert_eq!(refused("/api/3.0/mlflow/traces", json!({})).await, invalid);
    for (key, value) in [
        ("trace_id", json!("")),
        ("trace_id", json!("x".repeat(251))),
        ("trace_location", json!(null)),
        ("request_time", json!("yesterday")),
        ("execution_duration", json!("1.5")),
        ("state", json!("FINE")),
        ("tags", json!({ "a": 1 })),
    ] {
        let mut info = trace("tr-1", &exp);
        info[key] = value;
        assert_eq!(start(&server, info).await.refusal(), invalid, "{key}");
    }
    let search = "/api/3.0/mlflow/traces/search";
    assert_eq!(refused(search, json!({ "locations": [location(&exp)], "filter": "what = 1" })).await, invalid);
    assert_eq!(refused(search, json!({ "locations": [location(&exp)], "max_results": 501 })).await, invalid);
    assert_eq!(refused("/api/3.0/mlflow/traces/delete-traces", json!({ "experiment_id": exp })).await, invalid);
    let many: Vec<_> = (0..101).map(|at| format!("tr-{at}")).collect();
    assert_eq!(
        refused("/api/2.0/mlflow/traces/link-to-run", json!({ "trace_ids": many, "run_id": "r" })).await,
        invalid
    );
    let said = json!({ "assessment": { "assessment_name": "x" } });
    assert_eq!(refused("/api/3.0/mlflow/traces/tr-1/assessments", said).await, invalid);
}

#[tokio::test]
async fn exports_that_cannot_be_taken_say_why() {
    let server = Server::new().await;
    let json = [("content-type", "application/json")];
    let none = server.send("POST", "/v1/traces", &json, "{}").await;
    assert_eq!((none.status.as_u16(), &none.json()["detail"][0]["type"]), (422, &json!("missing")));
    let exp = experiment(&server, "e").await;
    for (experiment, status) in [("987654321", 404), ("abc", 400)] {
        assert_eq!(
            export(&server, experiment, vec![span("0101010101010101", "", "x", json!([]))]).await.status,
            status
        );
    }
    assert_eq!(export(&server, &exp, vec![span("", "", "x", json!([]))]).await.status, 422);
    for (kind, encoding, body) in [
        ("text/plain", "", "{}"),
        ("application/json", "", "{"),
        ("application/json", "gzip", "{}"),
        ("application/json", "br", "{}"),
        ("application/x-protobuf", "", ""),
    ] {
        let headers =
            [("x-mlflow-experiment-id", exp.as_str()), ("content-type", kind), ("content-encoding", encoding)];
        let refused = server.send("POST", "/v1/traces", &headers, body).await;
        assert_eq!(refused.status, 400, "{kind} {encoding} {body}");
        assert!(refused.json()["detail"].is_string());
    }
}

#[tokio::test]
async fn clients_of_the_second_generation_start_and_end_traces() {
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    let body = json!({ "experiment_id": exp, "timestamp_ms": 1_000, "tags": [{ "key": "a", "value": "1" }] });
    let started = server.post("/api/2.0/mlflow/traces", body).await.json();
    let id = started["trace_info"]["request_id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&started["trace_info"]["status"], &started["trace_info"]["execution_time_ms"]),
        (&json!("IN_PROGRESS"), &json!(0))
    );
    let end = json!({ "timestamp_ms": 3_000, "status": "OK", "request_metadata": [{ "key": "m", "value": "2" }] });
    let headers = [("content-type", "application/json")];
    let ended = server.send("PATCH", &format!("/api/2.0/mlflow/traces/{id}"), &headers, end.to_string()).await.json();
    assert_eq!(ended["trace_info"]["execution_time_ms"], 2_000);
    assert_eq!(ended["trace_info"]["request_metadata"], json!([{ "key": "m", "value": "2" }]));
    let deleted = json!({ "experiment_id": exp, "request_ids": [id] });
    assert_eq!(
        server.post("/api/2.0/mlflow/traces/delete-traces", deleted).await.json(),
        json!({ "traces_deleted": 1 })
    );
}

#[tokio::test]
async fn files_of_a_trace_are_read_at_its_artifact_location() {
    const ATTACHMENT: &str = "0f7d0b9e-8a43-4b9e-9d52-0d3f0f6f3a11";
    let server = Server::new().await;
    let exp = experiment(&server, "e").await;
    let made = start(&server, trace("tr-1", &exp)).await.json();
    let uri = made["trace"]["trace_info"]["tags"]["mlflow.artifactLocation"].as_str().unwrap().to_owned();
    let root = uri.strip_prefix("mlflow-artifacts:/").unwrap();
    let file = async |query: &str| server.get(&format!("/ajax-api/3.0/mlflow/get-trace-artifact?{query}")).await;
    assert_eq!(file("request_id=tr-1").await.status, 404);
    for (name, body) in [("traces.json", "{\"spans\": []}"), (&*format!("attachments/{ATTACHMENT}"), "png")] {
        server.put(&format!("/api/2.0/mlflow-artifacts/artifacts/{root}/{name}"), body).await;
    }
    assert_eq!(file("request_id=tr-1").await.text(), "{\"spans\": []}");
    assert_eq!(file(&format!("request_id=tr-1&path={ATTACHMENT}")).await.text(), "png");
    for bad in ["../traces.json", "0F7D0B9E-8A43-4B9E-9D52-0D3F0F6F3A11", "a"] {
        let reply = file(&format!("request_id=tr-1&path={bad}")).await;
        assert!(reply.status == 400 && reply.text().contains("must be a valid UUID"), "{}", reply.text());
    }
    assert_eq!(file(&format!("request_id=tr-2&path={ATTACHMENT}")).await.status, 404);
}
