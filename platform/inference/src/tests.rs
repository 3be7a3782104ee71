use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tiegel_serving::LoadedBundle;
use tiegel_serving::testing::{ClosurePredictor, declare, serve, without_stages};
use tiegel_types::{DType, EndpointState, Field, Name, Schema};
use tower::ServiceExt;

use super::*;

/// Answers the number of nulls in each row plus the value of `n` where it is there.
fn loaded() -> Arc<LoadedBundle> {
    let field = |name: &str, dtype, nullable, width| Field { name: name.to_owned(), dtype, nullable, width };
    let features = Schema::new(vec![
        field("n", DType::Uint64, false, 1),
        field("carrier", DType::Utf8, true, 1),
        field("at", DType::TimestampUs, true, 1),
        field("day", DType::Date32, true, 1),
        field("late", DType::Boolean, true, 1),
        field("vector", DType::Float64, true, 2),
    ]);
    let predictor =
        ClosurePredictor { features: features.clone(), run: Box::new(tiegel_serving::testing::nulls_and_first) };
    without_stages("a", features, Arc::new(predictor))
}

fn app() -> Router {
    let name = |text: &str| Name::new(text).unwrap();
    let endpoints = tiegel_serving::testing::endpoints();
    serve(&endpoints, &name("delay"), 3, loaded());
    declare(&endpoints, &name("later"), EndpointState::Pending, None);
    declare(&endpoints, &name("loading"), EndpointState::Deploying, None);
    router(endpoints)
}

async fn send(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> (StatusCode, Value) {
    let mut request = Request::builder().method(method).uri(path);
    for (key, value) in headers {
        request = request.header(*key, *value);
    }
    let response = app().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let status = response.status();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

async fn infer(body: Value) -> (StatusCode, Value) {
    send("POST", "/v2/models/delay/infer", &[], body.to_string()).await
}

fn n(rows: usize) -> Value {
    json!({"name": "n", "shape": [rows], "datatype": "UINT64", "data": (0..rows).collect::<Vec<_>>()})
}

#[tokio::test]
async fn the_server_and_its_health_are_json_with_both_keys() {
    let (status, server) = send("GET", "/v2", &[], "").await;
    assert_eq!((status, &server["name"], &server["extensions"]), (StatusCode::OK, &json!("tiegel"), &json!([])));
    for path in ["/v2/health/live", "/v2/health/ready"] {
        assert_eq!(send("GET", path, &[], "").await, (StatusCode::OK, json!({"live": true, "ready": true})));
    }
}

#[tokio::test]
async fn a_model_describes_its_tensors() {
    let (status, model) = send("GET", "/v2/models/delay", &[], "").await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({
        "name": "delay",
        "versions": ["3"],
        "platform": "tiegel",
        "inputs": [
            {"name": "n", "datatype": "UINT64", "shape": [-1]},
            {"name": "carrier", "datatype": "BYTES", "shape": [-1]},
            {"name": "at", "datatype": "INT64", "shape": [-1]},
            {"name": "day", "datatype": "INT32", "shape": [-1]},
            {"name": "late", "datatype": "BOOL", "shape": [-1]},
            {"name": "vector", "datatype": "FP64", "shape": [-1, 2]},
        ],
        "outputs": [{"name": "prediction", "datatype": "FP64", "shape": [-1]}],
    });
    assert_eq!(model, expected);
    assert_eq!(send("GET", "/v2/models/delay/versions/3", &[], "").await, (StatusCode::OK, expected));
}

#[tokio::test]
async fn unknown_models_and_versions_are_404_and_unready_ones_503() {
    let (status, body) = send("GET", "/v2/models/nope", &[], "").await;
    assert_eq!((status, body), (StatusCode::NOT_FOUND, json!({"error": "there is no endpoint 'nope'"})));
    let (status, body) = send("POST", "/v2/models/delay/versions/2/infer", &[], "{}").await;
    let expected = json!({"error": "endpoint 'delay' serves version 3, not '2'"});
    assert_eq!((status, body), (StatusCode::NOT_FOUND, expected));
    let (status, body) = send("POST", "/v2/models/later/infer", &[], "{}").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body["error"].as_str().unwrap().contains("no alias 'champion' yet"), "{body}");
    let ready = send("GET", "/v2/models/delay/versions/3/ready", &[], "").await;
    assert_eq!(ready, (StatusCode::OK, json!({"name": "delay", "ready": true})));
    let ready = send("GET", "/v2/models/later/ready", &[], "").await;
    assert_eq!(ready, (StatusCode::SERVICE_UNAVAILABLE, json!({"name": "later", "ready": false})));
    let (status, body) = send("GET", "/v2/models/delay/infer", &[], "").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(body["error"].is_string(), "{body}");
}

#[tokio::test]
async fn the_index_is_a_bare_array_and_takes_an_empty_body() {
    let (status, index) = send("POST", "/v2/repository/index", &[], "").await;
    assert_eq!(status, StatusCode::OK);
    let names: Vec<_> = index.as_array().unwrap().iter().map(|e| (&e["name"], &e["state"])).collect();
    let expected =
        [("delay", "READY"), ("later", "UNAVAILABLE"), ("loading", "LOADING")].map(|(n, s)| (json!(n), json!(s)));
    assert_eq!(names, expected.iter().map(|(n, s)| (n, s)).collect::<Vec<_>>());
    assert_eq!(index[0]["version"], "3");
    assert_eq!(index[1]["reason"], "model 'delay' has no alias 'champion' yet");
    let (_, ready) = send("POST", "/v2/repository/index", &[], r#"{"ready":true}"#).await;
    assert_eq!(ready.as_array().unwrap().len(), 1);
    let (status, _) = send("POST", "/v2/repository/index", &[], r#"{"ready":"yes"}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn tensors_are_taken_flat_or_nested_with_nulls_in_both_forms() {
    let body = json!({
        "id": "a-1",
        "parameters": {"trace": "yes", "depth": 3, "fast": true},
        "inputs": [
            n(3),
            {"name": "carrier", "shape": [3, 1], "datatype": "BYTES", "data": [["AA"], [null], ["UA"]]},
            {"name": "at", "shape": [3], "datatype": "INT64", "data": [0, 0, null]},
            {"name": "day", "shape": [3], "datatype": "INT32", "data": [1, 2, 3]},
            {"name": "day__valid", "shape": [3], "datatype": "BOOL", "data": [true, false, false]},
            {"name": "late", "shape": [3], "datatype": "BOOL", "data": [true, false, true]},
            {"name": "vector", "shape": [3, 2], "datatype": "FP64", "data": [[1.0, 2], [3, 4], [5, 6]]},
        ],
        "outputs": [{"name": "prediction", "parameters": {"binary_data": false}}],
    });
    let (status, answer) = infer(body).await;
    let expected = json!({
        "model_name": "delay",
        "model_version": "3",
        "id": "a-1",
        "outputs": [{"name": "prediction", "shape": [3], "datatype": "FP64", "data": [0.0, 3.0, 4.0]}],
    });
    assert_eq!((status, answer), (StatusCode::OK, expected));
    let flat = json!({"inputs": [n(2), {"name": "vector", "shape": [2, 2], "datatype": "FP64", "data": [1, 2, 3, 4]}]});
    let (status, answer) = infer(flat).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["outputs"][0]["data"], json!([4.0, 5.0]));
    assert!(answer.get("id").is_none());
}

#[tokio::test]
async fn the_largest_integers_survive() {
    let of = |value: &str| {
        format!(r#"{{"inputs": [{{"name": "n", "shape": [1], "datatype": "UINT64", "data": [{value}]}}]}}"#)
    };
    let path = "/v2/models/delay/infer";
    let (status, answer) = send("POST", path, &[], of("18446744073709551615")).await;
    assert_eq!(status, StatusCode::OK);
    // 5 of the 6 columns are null; the closure answers the low 16 bits of n, which a float64 detour would have cleared.
    assert_eq!(answer["outputs"][0]["data"], json!([f64::from(u16::MAX) + 5.0]));
    let (status, answer) = send("POST", path, &[], of("18446744073709551616")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
}

/// Each request must be answered 400, with the words, in the protocol's form.
async fn all_refused(cases: impl IntoIterator<Item = (Value, &'static str)>) {
    for (body, expected) in cases {
        let (status, answer) = infer(body.clone()).await;
        let message = answer["error"].as_str().unwrap_or_default();
        assert!(status == StatusCode::BAD_REQUEST && message.contains(expected), "{body}: {status} {answer}");
        assert_eq!(answer.as_object().unwrap().len(), 1, "{answer}");
    }
}

#[tokio::test]
async fn each_wrong_request_is_400_with_the_protocols_error() {
    let tensor = |shape: Value, datatype: &str, data: Value| json!({"inputs": [{"name": "n", "shape": shape, "datatype": datatype, "data": data}]});
    all_refused([
        (json!([]), "the body is not an inference request"),
        (json!({}), "missing field `inputs`"),
        (json!({"inputs": []}), "the request has no inputs"),
        (json!({"inputs": [n(2)], "id": 5}), "expected a string"),
        (json!({"inputs": [n(2)], "parameters": {"a": [1]}}), "parameter 'a' is not a string, a number or a boolean"),
        (json!({"inputs": [n(2)], "parameters": {"binary_data_output": true}}), "binary_data=False"),
        (
            json!({"inputs": [n(2)], "outputs": [{"name": "score"}]}),
            "there is no output 'score'; the only one is 'prediction'",
        ),
        (tensor(json!([2]), "INT64", json!([1, 2])), "input 'n' has datatype 'INT64'; UINT64 is expected"),
        (tensor(json!([]), "UINT64", json!([])), "input 'n' has an empty shape"),
        (tensor(json!([-1]), "UINT64", json!([1])), "invalid value: integer `-1`"),
        (tensor(json!([2, 2]), "UINT64", json!([1, 2, 3, 4])), "input 'n' has shape [2, 2]; [-1] is expected"),
        (tensor(json!([2]), "UINT64", json!([1, 2, 3])), "input 'n' has 3 values; its shape needs 2"),
        (tensor(json!([2]), "UINT64", json!([[1], 2])), "input 'n' row 1 is no array, and others are"),
        (tensor(json!([2]), "UINT64", json!("AAAA")), "input 'n' has data that is not an array"),
        (tensor(json!([2]), "UINT64", Value::Null), "input 'n' has no data"),
        (
            tensor(json!([2]), "UINT64", json!([1, -1])),
            "input 'n', row 1: expected an integer from 0 to 18446744073709551615",
        ),
        (
            tensor(json!([1_u64 << 40, 1 << 20]), "UINT64", json!([1])),
            "has 1099511627776 rows; at most 10000 are taken at once",
        ),
    ])
    .await;
}

#[tokio::test]
async fn tensors_that_do_not_fit_together_are_400_and_named() {
    let with = |extra: Value| json!({"inputs": [n(2), extra]});
    all_refused([
        (with(n(2)), "input 'n' is given twice"),
        (
            with(json!({"name": "nn", "shape": [2], "datatype": "BOOL", "data": [true, true]})),
            "input 'nn' is not an input",
        ),
        (
            with(json!({"name": "day", "shape": [3], "datatype": "INT32", "data": [1, 2, 3]})),
            "input 'day' has 3 rows and input 'n' has 2",
        ),
        (
            with(json!({"name": "vector", "shape": [2, 1_u64 << 62], "datatype": "FP64", "data": [1]})),
            "has shape [2, 4611686018427387904]; [-1, 2] is expected",
        ),
        (
            with(json!({"name": "vector", "shape": [2, 2], "datatype": "FP64", "data": [[1, 2], [3]]})),
            "input 'vector' row 1 has 1 values; 2 are expected",
        ),
        (
            with(json!({"name": "day__valid", "shape": [2], "datatype": "BOOL", "data": [true, true]})),
            "says which rows are null of an input that is not there",
        ),
        (
            with(json!({"name": "late", "shape": [2], "datatype": "BOOL", "data": [1, 0]})),
            "input 'late', row 0: expected true or false, got 1",
        ),
        (
            with(json!({"name": "late", "shape": [2], "datatype": "BOOL", "parameters": {"binary_data_size": 2}})),
            "binary tensor data is not supported here",
        ),
        (
            json!({"inputs": [{"name": "day", "shape": [1], "datatype": "INT32", "data": [1]}]}),
            "input 'n': the column is missing and has no null",
        ),
    ])
    .await;
}

#[tokio::test]
async fn bodies_that_are_no_json_too_long_or_binary_are_refused_in_the_protocols_form() {
    let path = "/v2/models/delay/infer";
    for body in ["", "{", "\u{0}\u{1}", "{\"inputs\": [}"] {
        let (status, answer) = send("POST", path, &[], body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body:?}");
        assert!(answer["error"].as_str().unwrap().starts_with("the body is not an inference request"), "{answer}");
    }
    let (status, answer) = send("POST", path, &[("Inference-Header-Content-Length", "10")], "{}").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["error"].as_str().unwrap().contains("binary_data=False"), "{answer}");
    let (status, answer) = send("POST", path, &[], vec![b' '; BODY_BYTES_MAX + 1]).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer["error"].is_string(), "{answer}");
}

#[tokio::test]
async fn a_large_request_is_read_off_the_async_worker_and_answered_in_order() {
    let (status, answer) = infer(json!({"inputs": [n(10_000)]})).await;
    assert_eq!(status, StatusCode::OK);
    let data = answer["outputs"][0]["data"].as_array().unwrap();
    assert_eq!((data.len(), &data[9_999]), (10_000, &json!(10_004.0)));
}
