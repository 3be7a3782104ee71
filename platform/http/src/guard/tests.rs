use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};

use super::*;
use crate::edge::testing::{problem_of, send};
use crate::{EdgeConfig, edge};

fn server(guard: GuardConfig) -> Router {
    let router = Router::new()
        .route("/api/v1/runs", get(async || "runs").post(async || "made"))
        .route("/health/live", get(async || "live"))
        .route("/api/v1/other", post(async || "other"));
    edge(router, EdgeConfig { guard, on_response: None })
}

fn loopback() -> GuardConfig {
    GuardConfig { loopback: true, ..GuardConfig::default() }
}

fn with_token() -> GuardConfig {
    GuardConfig { admin_token: Some("s3cret".into()), ..loopback() }
}

/// A request to `/api/v1/runs` with these headers.
fn request(method: &str, headers: &[(&str, &str)]) -> Request {
    let mut request = Request::builder().method(method).uri("/api/v1/runs");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

async fn status(guard: GuardConfig, method: &str, headers: &[(&str, &str)]) -> u16 {
    send(server(guard), request(method, headers)).await.status().as_u16()
}

#[tokio::test]
async fn a_rebound_name_is_refused_and_told_what_to_do() {
    let response = send(server(loopback()), request("GET", &[("host", "evil.example:8484")])).await;
    let problem = problem_of(response).await;
    assert_eq!((problem.status, problem.code.as_str()), (403, "host_not_allowed"));
    assert_eq!(
        problem.detail,
        "this server does not answer to the host 'evil.example:8484': use localhost, or add it to `allowed_hosts` in the server's config"
    );
}

#[tokio::test]
async fn local_names_and_listed_hosts_are_answered() {
    for host in ["localhost:8484", "127.0.0.1:8484", "[::1]:8484", "LocalHost"] {
        assert_eq!(status(loopback(), "GET", &[("host", host)]).await, 200, "{host}");
    }
    let listed = GuardConfig { allowed_hosts: vec!["ml.example.com".into()], ..loopback() };
    assert_eq!(status(listed, "GET", &[("host", "ml.example.com:8443")]).await, 200);
}

#[tokio::test]
async fn an_address_is_answered_only_beyond_loopback() {
    assert_eq!(status(loopback(), "GET", &[("host", "10.0.0.7:8484")]).await, 403);
    assert_eq!(status(GuardConfig::default(), "GET", &[("host", "10.0.0.7:8484")]).await, 200);
    assert_eq!(status(GuardConfig::default(), "GET", &[("host", "evil.example")]).await, 403);
}

#[tokio::test]
async fn a_request_without_a_host_is_refused() {
    let problem = problem_of(send(server(loopback()), request("GET", &[])).await).await;
    assert_eq!(problem.detail, "the request names no host: send a Host header");
}

#[tokio::test]
async fn the_authority_of_http_2_counts_as_the_host() {
    for (uri, expected) in [("http://localhost:8484/api/v1/runs", 200), ("http://evil.example/api/v1/runs", 403)] {
        let request = Request::get(uri).header("host", "localhost").body(Body::empty()).unwrap();
        assert_eq!(send(server(loopback()), request).await.status(), expected, "{uri}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_change_state() {
    let host = ("host", "localhost:8484");
    for origin in ["http://evil.example", "null", "http://localhost:3000", "https://localhost:8484.evil.example"] {
        assert_eq!(status(loopback(), "POST", &[host, ("origin", origin)]).await, 403, "{origin}");
        assert_eq!(status(loopback(), "GET", &[host, ("origin", origin)]).await, 200, "{origin}");
    }
    assert_eq!(status(loopback(), "POST", &[host, ("sec-fetch-site", "cross-site")]).await, 403);
    let response = send(server(loopback()), request("POST", &[host, ("origin", "http://evil.example")])).await;
    let problem = problem_of(response).await;
    assert_eq!(problem.code, "origin_not_allowed");
    assert_eq!(
        problem.detail,
        "a page of 'http://evil.example' may not change anything here: add its origin to `allowed_origins` in the server's config"
    );
}

#[tokio::test]
async fn the_own_page_a_listed_origin_and_a_program_may_change_state() {
    let host = ("host", "localhost:8484");
    assert_eq!(status(loopback(), "POST", &[host, ("origin", "http://localhost:8484")]).await, 200);
    assert_eq!(status(loopback(), "POST", &[host]).await, 200);
    assert_eq!(status(loopback(), "POST", &[host, ("sec-fetch-site", "same-origin")]).await, 200);
    let listed = GuardConfig { allowed_origins: vec!["https://ml.example.com/".into()], ..loopback() };
    assert_eq!(status(listed, "POST", &[host, ("origin", "https://ml.example.com")]).await, 200);
}

#[tokio::test]
async fn a_proxy_that_ends_tls_keeps_the_origin_its_own() {
    let listed = GuardConfig { allowed_hosts: vec!["ml.example.com".into()], ..loopback() };
    let headers = [("host", "ml.example.com:443"), ("origin", "https://ml.example.com")];
    assert_eq!(status(listed, "POST", &headers).await, 200);
}

#[tokio::test]
async fn without_the_token_only_health_answers() {
    let response = send(server(with_token()), request("GET", &[("host", "localhost")])).await;
    assert_eq!(response.status(), 401);
    let challenges: Vec<_> = response.headers().get_all(header::WWW_AUTHENTICATE).iter().cloned().collect();
    assert_eq!(challenges, ["Bearer realm=\"tiegel\"", "Basic realm=\"tiegel\", charset=\"UTF-8\""]);
    let problem = problem_of(response).await;
    assert_eq!(problem.code, "token_required");
    assert!(problem.detail.contains("Authorization: Bearer TOKEN"), "{}", problem.detail);

    let registry = Request::get("/v2/").header("host", "localhost").body(Body::empty()).unwrap();
    let response = send(server(with_token()), registry).await;
    let challenges: Vec<_> = response.headers().get_all(header::WWW_AUTHENTICATE).iter().cloned().collect();
    assert_eq!(challenges, ["Basic realm=\"tiegel\", charset=\"UTF-8\""]);

    let probe = Request::get("/health/live").header("host", "10.1.2.3").body(Body::empty()).unwrap();
    assert_eq!(send(server(with_token()), probe).await.status(), 200);
}

#[tokio::test]
async fn the_token_is_taken_as_bearer_and_as_a_password() {
    let encode = |text: &str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
    for (authorization, expected) in [
        ("Bearer s3cret".to_owned(), 200),
        ("bearer s3cret".to_owned(), 200),
        ("Bearer s3cre".to_owned(), 401),
        ("Bearer s3cret2".to_owned(), 401),
        ("s3cret".to_owned(), 401),
        (encode("admin:s3cret"), 200),
        (encode(":s3cret"), 200),
        (encode("s3cret"), 401),
        (encode("s3cret:"), 401),
        ("Basic ???".to_owned(), 401),
        ("Digest s3cret".to_owned(), 401),
    ] {
        let headers = [("host", "localhost"), ("authorization", authorization.as_str())];
        assert_eq!(status(with_token(), "GET", &headers).await, expected, "{authorization}");
    }
}

#[test]
fn the_token_is_not_shown_by_debug() {
    assert!(!format!("{:?}", with_token()).contains("s3cret"));
}
