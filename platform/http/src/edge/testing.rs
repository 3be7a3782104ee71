//! What the tests of this crate share.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use tower::ServiceExt as _;

use crate::{GuardConfig, PROBLEM_JSON, Problem};

const BODY_BYTES_MAX: usize = 1 << 20;

/// A guard that answers `localhost`.
pub fn local() -> GuardConfig {
    GuardConfig { loopback: true, ..GuardConfig::default() }
}

pub async fn send(router: Router, request: Request) -> Response {
    router.oneshot(request).await.unwrap()
}

pub async fn get_from(router: Router, uri: &str) -> Response {
    send(router, Request::get(uri).header("host", "localhost").body(Body::empty()).unwrap()).await
}

pub async fn body_of(response: Response) -> Bytes {
    to_bytes(response.into_body(), BODY_BYTES_MAX).await.unwrap()
}

/// The response's problem; fails if it is none or if its status is not the response's.
pub async fn problem_of(response: Response) -> Problem {
    assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
    let status = response.status().as_u16();
    let problem: Problem = serde_json::from_slice(&body_of(response).await).unwrap();
    assert_eq!(problem.status, status);
    problem
}
