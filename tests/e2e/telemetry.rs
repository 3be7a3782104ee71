use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use tiegel_tests::{Options, ProjectFolder, TestServer};

use crate::main_job::rows;
use crate::{PLUGINS, apply};

/// Takes OTLP as a collector would and keeps the bodies.
async fn collector() -> (String, Arc<Mutex<Vec<u8>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let store = kept.clone();
    let take = move |body: Bytes| {
        store.lock().unwrap().extend_from_slice(&body);
        async {}
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = Router::new().route("/v1/traces", post(take));
    #[expect(clippy::disallowed_methods, reason = "the collector ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, service).await });
    (url, kept)
}

/// Names of spans of one trace: in a protobuf Span the trace id is field 1 and the name field 5, both length-delimited.
fn spans_of(body: &[u8], trace: &[u8]) -> BTreeSet<String> {
    let known = [
        "POST /api/v1/projects/{project}/jobs",
        "POST /api/v1/endpoints/{endpoint}/predict",
        "job.run",
        "step",
        "step.run",
        "training.run",
        "plugin.call",
        "model.epoch",
        "model.forward",
    ];
    let mut found = BTreeSet::new();
    let mut at = 0;
    while let Some(position) = body[at..].windows(trace.len()).position(|w| w == trace) {
        at += position + trace.len();
        let rest = &body[at..body.len().min(at + 120)];
        for name in known {
            let mut field = vec![0x2a, name.len() as u8];
            field.extend_from_slice(name.as_bytes());
            if rest.windows(field.len()).any(|w| w == field) {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_and_a_request_are_one_trace_each_from_http_to_the_forward_pass() {
    let (endpoint, kept) = collector().await;
    let options = Options { env: vec![("TIEGEL_TELEMETRY__OTLP_ENDPOINT".to_owned(), endpoint)], ..Options::default() };
    let server = TestServer::start_with(options).await;
    server.push_plugins(&PLUGINS).await;
    apply(&server, &ProjectFolder::flights());

    let trace = |digit: u8| vec![digit; 16];
    let hex = |digit: u8| format!("{digit:02x}").repeat(16);
    let parent = |digit: u8| format!("00-{}-00f067aa0ba902b7-01", hex(digit));
    let body = serde_json::json!({ "target": "endpoint/delay" });
    let url = format!("{}/api/v1/projects/default/jobs", server.url);
    let job: serde_json::Value = server
        .http
        .post(url)
        .header("traceparent", parent(0x11))
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let job = server.wait_job(job["id"].as_str().unwrap()).await;
    assert_eq!(job["state"], "succeeded", "{}", job["error"]);
    assert_eq!(job["steps"][0]["trace_id"], hex(0x11), "{}", job["steps"][0]);

    let url = format!("{}/api/v1/endpoints/delay/predict", server.url);
    let predicted = server.http.post(url).header("traceparent", parent(0x22)).json(&rows()).send().await.unwrap();
    assert_eq!(predicted.status(), 200);
    server.finish().await;

    let body = kept.lock().unwrap().clone();
    let job_spans = spans_of(&body, &trace(0x11));
    for name in [
        "POST /api/v1/projects/{project}/jobs",
        "job.run",
        "step",
        "step.run",
        "training.run",
        "plugin.call",
        "model.epoch",
    ] {
        assert!(job_spans.contains(name), "the job's trace has no {name}: {job_spans:?}");
    }
    let request_spans = spans_of(&body, &trace(0x22));
    for name in ["POST /api/v1/endpoints/{endpoint}/predict", "plugin.call", "model.forward"] {
        assert!(request_spans.contains(name), "the request's trace has no {name}: {request_spans:?}");
    }
}
