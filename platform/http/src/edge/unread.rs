//! Requests that are answered before their body was read, such as those that no route takes.
//!
//! A connection whose request has bytes left cannot take the next one, so hyper closes it, and a client that sends its
//! next request at that moment gets no answer. What little is left is therefore read; of more, the answer says `close`.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};

const LEFT_BYTES_MAX: usize = 64 << 10;
const LEFT_SECONDS_MAX: u64 = 2;

/// What a handler left of its request's body.
type Left = Arc<Mutex<Option<Body>>>;

pub(super) async fn read_rest(request: Request, next: Next) -> Response {
    // Other versions have streams of their own. Who waits to be asked for the body has not sent it.
    let is_shared = request.version() == Version::HTTP_11 && !request.headers().contains_key(header::EXPECT);
    if !is_shared || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let left = Left::default();
    let lend = |body| Body::new(Lent { body, left: left.clone() });
    let mut response = next.run(request.map(lend)).await;
    let rest = left.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(rest) = rest
        && !is_read(rest).await
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Reads a body to its end, unless that takes long.
async fn is_read(body: Body) -> bool {
    if body.size_hint().lower() > LEFT_BYTES_MAX as u64 {
        return false;
    }
    let rest = tokio::time::timeout(Duration::from_secs(LEFT_SECONDS_MAX), to_bytes(body, LEFT_BYTES_MAX));
    matches!(rest.await, Ok(Ok(_)))
}

/// A request's body that comes back if it is dropped before its end.
struct Lent {
    body: Body,
    left: Left,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            let body = std::mem::take(&mut self.body);
            *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
