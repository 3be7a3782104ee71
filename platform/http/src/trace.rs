//! One span, one trace id and one measurement per request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;
use tracing::field::Empty;

/// The route of a request that no route matched, such as a page of the UI.
pub const UNMATCHED_ROUTE: &str = "unmatched";

const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_CHARS_MAX: usize = 128;

/// What is known of a request once its response begins. Every field has few values, so that it can label a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct RequestRecord {
    /// A standard method, or `OTHER`.
    pub method: &'static str,
    /// The route's template, such as `/api/v1/runs/{run}`, or [`UNMATCHED_ROUTE`].
    pub route: String,
    pub status: u16,
    /// From the request's head to the response's head; a streamed body comes on top.
    pub elapsed: Duration,
}

/// Called once for each response.
pub type OnResponse = Arc<dyn Fn(&RequestRecord) + Send + Sync>;

/// The middleware. It is the outermost one, so that refusals and panics are traced and measured too.
pub(crate) async fn trace(State(hook): State<Option<OnResponse>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = method_label(request.method());
    let route = match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().to_owned(),
        None => UNMATCHED_ROUTE.to_owned(),
    };
    let span = span_of(&request, method, &route);
    let request_id = given_request_id(request.headers());

    let answer = async { (next.run(request).await, tiegel_telemetry::current_trace_id()) };
    let (mut response, trace_id) = answer.instrument(span.clone()).await;

    let record = RequestRecord { method, route, status: response.status().as_u16(), elapsed: started.elapsed() };
    span.record("http.response.status_code", record.status);
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    span.in_scope(|| log(&record));
    if let Some(hook) = hook {
        hook(&record);
    }
    let trace_id = trace_id.and_then(|id| HeaderValue::try_from(id).ok());
    if let Some(id) = request_id.or_else(|| trace_id.clone()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if let Some(id) = trace_id {
        response.headers_mut().insert(TRACE_ID, id);
    }
    response
}

/// Names as in OpenTelemetry's semantic conventions for HTTP servers.
fn span_of(request: &Request, method: &'static str, route: &str) -> tracing::Span {
    let span = tracing::info_span!(
        "http.request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        url.path = request.uri().path(),
        http.response.status_code = Empty,
    );
    if let Some(parent) = request.headers().get("traceparent").and_then(|value| value.to_str().ok()) {
        tiegel_telemetry::set_parent(&span, parent);
    }
    span
}

/// Quiet for what went well: a page that polls would fill the log.
fn log(record: &RequestRecord) {
    let duration_ms = record.elapsed.as_secs_f64() * 1e3;
    if record.status < 400 {
        tracing::debug!(status = record.status, duration_ms, "request answered");
    } else {
        tracing::info!(status = record.status, duration_ms, "request refused or failed");
    }
}

/// The caller's own id for the request, if it is short and printable enough to be sent back and logged.
fn given_request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    let plain = !id.is_empty() && id.len() <= REQUEST_ID_CHARS_MAX && id.as_bytes().iter().all(u8::is_ascii_graphic);
    plain.then(|| id.clone())
}

/// A client can send any word as a method; a label must not grow with it.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;

    use super::*;
    use crate::edge::testing::{local, problem_of, send};
    use crate::{EdgeConfig, edge};

    async fn records_of(requests: Vec<Request>) -> Vec<RequestRecord> {
        let records = Arc::new(Mutex::new(Vec::new()));
        let seen = records.clone();
        let on_response: OnResponse = Arc::new(move |record| seen.lock().unwrap().push(record.clone()));
        let router = Router::new()
            .route("/api/v1/runs/{run}", get(async || "run"))
            .route("/api/v1/panic", get(async || -> &'static str { panic!("on purpose") }));
        let router = edge(router, EdgeConfig { guard: local(), on_response: Some(on_response) });
        for request in requests {
            send(router.clone(), request).await;
        }
        let records = records.lock().unwrap();
        records.clone()
    }

    fn request(method: &str, uri: &str) -> Request {
        Request::builder().method(method).uri(uri).header("host", "localhost").body(Body::empty()).unwrap()
    }

    #[tokio::test]
    async fn a_record_names_the_route_and_not_the_path() {
        let records = records_of(vec![
            request("GET", "/api/v1/runs/0af7"),
            request("GET", "/api/v1/nothing/here"),
            request("BREW", "/api/v1/runs/0af7"),
            request("GET", "/api/v1/panic"),
        ])
        .await;
        let seen: Vec<_> = records.iter().map(|r| (r.method, r.route.as_str(), r.status)).collect();
        assert_eq!(
            seen,
            [
                ("GET", "/api/v1/runs/{run}", 200),
                ("GET", UNMATCHED_ROUTE, 404),
                ("OTHER", "/api/v1/runs/{run}", 405),
                ("GET", "/api/v1/panic", 500),
            ]
        );
    }

    #[tokio::test]
    async fn a_refusal_at_the_door_is_measured_too() {
        let evil = Request::get("/api/v1/runs/1").header("host", "evil.example").body(Body::empty()).unwrap();
        assert_eq!(records_of(vec![evil]).await[0].status, 403);
    }

    #[tokio::test]
    async fn the_callers_request_id_comes_back_and_an_odd_one_gives_way_to_the_trace_id() {
        tiegel_telemetry::init_for_test();
        for (given, kept) in [("abc-123", true), ("two words", false), (&"x".repeat(129), false)] {
            let mut request = request("GET", "/nothing");
            request.headers_mut().insert("x-request-id", HeaderValue::from_str(given).unwrap());
            let response = send(nothing(), request).await;
            let headers = response.headers();
            let expected = if kept { given } else { headers["x-trace-id"].to_str().unwrap() };
            assert_eq!(headers["x-request-id"], expected, "{given}");
        }
    }

    #[tokio::test]
    async fn a_traceparent_is_continued_to_the_problem_and_the_header() {
        tiegel_telemetry::init_for_test();
        let mut request = request("GET", "/api/v1/nothing");
        let parent = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        request.headers_mut().insert("traceparent", parent);
        let response = send(nothing(), request).await;
        assert_eq!(response.headers()["x-trace-id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        let problem = problem_of(response).await;
        assert_eq!(problem.trace_id.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    /// A server without routes of its own.
    fn nothing() -> Router {
        edge(Router::new(), EdgeConfig { guard: local(), on_response: None })
    }
}
