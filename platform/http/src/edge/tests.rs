use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::testing::{body_of, get_from, local, problem_of, send};
use super::*;
use crate::Json;

const BOUNDS: Bounds = Bounds { body_bytes_max: 64, response_time_max: Duration::from_millis(50) };

fn server() -> Router {
    let ordinary = Router::new()
        .route("/api/v1/echo", post(async |Json(value): Json<Value>| Json(value)))
        .route("/api/v1/slow", get(async || tokio::time::sleep(Duration::from_secs(60)).await));
    let other = Router::new()
        .route("/api/v1/upload", post(async |body: axum::body::Bytes| body.len().to_string()))
        .route("/api/v1/panic", get(async || -> &'static str { panic!("secret detail") }))
        .route("/api/v1/large", get(async || Json(json!({ "text": "tiegel ".repeat(1_000) }))))
        .route("/api/v1/small", get(async || Json(json!({ "text": "tiegel" }))))
        .route("/api/v1/events", get(events));
    edge(bounded(ordinary, BOUNDS).merge(other), EdgeConfig { guard: local(), on_response: None })
}

async fn events() -> Response {
    let mut response = Body::from("data: tiegel\n\n".repeat(200)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn posted(uri: &str, body: impl Into<Body>) -> Request {
    Request::post(uri).header("host", "localhost").body(body.into()).unwrap()
}

async fn get_gzip(uri: &str) -> Response {
    let request = Request::get(uri).header("host", "localhost").header("accept-encoding", "gzip");
    send(server(), request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn json_is_read_without_a_content_type() {
    let response = send(server(), posted("/api/v1/echo", r#"{"a": 1}"#)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(body_of(response).await, r#"{"a":1}"#);
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused() {
    let problem = problem_of(send(server(), posted("/api/v1/echo", vec![b' '; 65])).await).await;
    assert_eq!((problem.status, problem.code.as_str()), (413, "body_too_large"));
    assert_eq!(
        problem.detail,
        "the body is larger than this route accepts: send less in one request, or upload it as a file"
    );
    assert_eq!(send(server(), posted("/api/v1/upload", vec![b' '; 65])).await.status(), 200);
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_given_up() {
    let response = get_from(server(), "/api/v1/slow").await;
    assert_eq!(response.headers()[header::RETRY_AFTER], "1");
    let problem = problem_of(response).await;
    assert_eq!((problem.status, problem.code.as_str()), (503, "response_timeout"));
    assert_eq!(problem.detail, "the server gave up after 0.05 s: try again, or ask for less at once");
}

#[tokio::test]
async fn a_panic_is_a_problem_without_its_message() {
    let problem = problem_of(get_from(server(), "/api/v1/panic").await).await;
    assert_eq!((problem.status, problem.code.as_str()), (500, "internal_error"));
    assert!(!problem.detail.contains("secret"), "{}", problem.detail);
}

#[tokio::test]
async fn a_method_that_a_route_does_not_take_is_told_which_it_takes() {
    let response = get_from(server(), "/api/v1/echo").await;
    assert_eq!(response.headers()[header::ALLOW], "POST");
    let problem = problem_of(response).await;
    assert_eq!((problem.status, problem.code.as_str()), (405, "method_not_allowed"));
    assert_eq!(problem.detail, "/api/v1/echo does not take GET: use a method that this answer's Allow header names");
    let response = send(server(), posted("/api/v1/small", "")).await;
    assert_eq!((response.status().as_u16(), &response.headers()[header::ALLOW]), (405, &"GET,HEAD".parse().unwrap()));
}

#[tokio::test]
async fn text_of_some_size_is_compressed_and_streams_are_not() {
    let large = get_gzip("/api/v1/large").await;
    assert_eq!(large.headers()[header::CONTENT_ENCODING], "gzip");
    assert!(body_of(large).await.len() < 1_000);
    for uri in ["/api/v1/small", "/api/v1/events"] {
        assert!(!get_gzip(uri).await.headers().contains_key(header::CONTENT_ENCODING), "{uri}");
    }
    assert!(!get_from(server(), "/api/v1/large").await.headers().contains_key(header::CONTENT_ENCODING));
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let evil = Request::get("/api/v1/small").header("host", "evil.example").body(Body::empty()).unwrap();
    for response in [
        get_from(server(), "/api/v1/small").await,
        get_from(server(), "/api/v1/panic").await,
        get_from(server(), "/nothing").await,
        send(server(), evil).await,
    ] {
        let headers = response.headers();
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(headers[header::REFERRER_POLICY], "no-referrer");
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "default-src 'none'; frame-ancestors 'none'; sandbox");
    }
}

#[tokio::test]
async fn a_handlers_own_security_header_stays() {
    let router = Router::new().route("/x", get(async || [(header::X_FRAME_OPTIONS, "SAMEORIGIN")]));
    let response = get_from(edge(router, EdgeConfig { guard: local(), on_response: None }), "/x").await;
    assert_eq!(response.headers()[header::X_FRAME_OPTIONS], "SAMEORIGIN");
}

/// A body that is sent piece by piece, as it comes over a slow connection.
fn streamed(pieces: usize, bytes: usize) -> Body {
    let piece = move |_| Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; bytes]));
    Body::from_stream(futures::stream::iter((0..pieces).map(piece)))
}

#[tokio::test]
async fn what_is_left_of_a_refused_request_is_read_or_its_connection_is_closed() {
    for (uri, status) in [("/api/v1/nothing", StatusCode::NOT_FOUND), ("/api/v1/small", StatusCode::METHOD_NOT_ALLOWED)]
    {
        for (pieces, connection) in [(1, None), (60, None), (2_000, Some("close"))] {
            let response = send(server(), posted(uri, streamed(pieces, 1_000))).await;
            assert_eq!(response.status(), status);
            let told = response.headers().get(header::CONNECTION).map(|value| value.to_str().unwrap());
            assert_eq!(told, connection, "{uri} with {pieces} pieces");
        }
    }
    let response = send(server(), posted("/api/v1/upload", streamed(60, 1_000))).await;
    assert!(!response.headers().contains_key(header::CONNECTION));
    assert_eq!(&body_of(response).await[..], b"60000");
}
