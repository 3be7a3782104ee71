//! The layers around all routes, in order.

mod unread;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use tiegel_types::limits;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::compress::WholeText;
use crate::guard::{self, GuardConfig};
use crate::trace::{self, OnResponse};
use crate::{ApiError, headers, ui};

/// Seconds until the head of an ordinary response, at most.
const RESPONSE_SECONDS_MAX: u64 = 120;

/// What ordinary routes may take. Routes that upload, stream or wait set their own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    pub body_bytes_max: usize,
    /// Until the response's head; a streamed body may take longer.
    pub response_time_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { body_bytes_max: limits::BODY_BYTES_MAX, response_time_max: Duration::from_secs(RESPONSE_SECONDS_MAX) }
    }
}

/// Bounds the body and the time of the routes that `router` has now.
pub fn bounded<S: Clone + Send + Sync + 'static>(router: Router<S>, bounds: Bounds) -> Router<S> {
    let Bounds { body_bytes_max, response_time_max } = bounds;
    router.layer(from_fn_with_state(response_time_max, limit_time)).layer(DefaultBodyLimit::max(body_bytes_max))
}

async fn limit_time(State(max): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(max, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::unavailable(
            "response_timeout",
            format!("the server gave up after {} s: try again, or ask for less at once", max.as_secs_f64()),
            Duration::from_secs(1),
        )
        .into_response(),
    }
}

/// What surrounds every route of the server.
#[derive(Clone, Default)]
pub struct EdgeConfig {
    pub guard: GuardConfig,
    pub on_response: Option<OnResponse>,
}

/// Puts the guard, traces, panics, compression and security headers around all routes, and the UI behind them.
///
/// Call it last and once: a route added later is outside the guard.
pub fn edge(router: Router, config: EdgeConfig) -> Router {
    let EdgeConfig { guard, on_response } = config;
    // The last layer is the outermost.
    router
        .fallback(ui::fallback)
        .layer(from_fn(explain_method))
        .layer(from_fn_with_state(Arc::new(guard), guard::check))
        .layer(CompressionLayer::new().compress_when(WholeText))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(map_response(headers::secure))
        .layer(from_fn_with_state(on_response, trace::trace))
        .layer(from_fn(unread::read_rest))
}

/// A body for the bare 405 of the router, which adds the `Allow` header only once all layers are done.
async fn explain_method(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let bare = response.status() == StatusCode::METHOD_NOT_ALLOWED && response.body().size_hint().exact() == Some(0);
    if !bare {
        return response;
    }
    let detail = format!("{path} does not take {method}: use a method that this answer's Allow header names");
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail).into_response()
}

fn answer_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a value that is no text".to_owned(),
    };
    ApiError::internal(format!("the handler panicked: {message}")).into_response()
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
