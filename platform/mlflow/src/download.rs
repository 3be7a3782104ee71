//! A file as a download: whole or one range of it, or nothing where the client has it already.

mod names;
mod range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use tiegel_artifacts::Found;

use crate::{MlflowError, MlflowResult};
use range::Span;

pub(crate) async fn send(found: &Found, request: &HeaderMap) -> MlflowResult<Response> {
    let tag = format!("\"{}\"", found.tag);
    if knows(request, &tag) {
        return respond(StatusCode::NOT_MODIFIED, found, &tag, Body::empty());
    }
    match range::span(request, &tag, found.bytes) {
        Span::Whole => {
            let body = body(found, None).await?;
            let mut response = respond(StatusCode::OK, found, &tag, body)?;
            response.headers_mut().insert(header::CONTENT_LENGTH, found.bytes.into());
            Ok(response)
        }
        Span::Part(first, last) => {
            let body = body(found, Some(first..last + 1)).await?;
            let mut response = respond(StatusCode::PARTIAL_CONTENT, found, &tag, body)?;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, (last + 1 - first).into());
            headers.insert(header::CONTENT_RANGE, value(&format!("bytes {first}-{last}/{}", found.bytes))?);
            Ok(response)
        }
        Span::Outside => {
            let range = value(&format!("bytes */{}", found.bytes))?;
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(header::CONTENT_RANGE, range)]).into_response())
        }
    }
}

/// Whether the client holds the file that is there now.
fn knows(request: &HeaderMap, tag: &str) -> bool {
    let given = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given.flat_map(|value| value.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
    })
}

async fn body(found: &Found, range: Option<std::ops::Range<u64>>) -> MlflowResult<Body> {
    let path = found.path.clone();
    let bytes = found.read(range).await?.map(move |chunk| {
        // The client sees a body that ends too early.
        chunk.inspect_err(|error| tracing::error!(%path, %error, "a download broke off"))
    });
    Ok(Body::from_stream(bytes))
}

fn respond(status: StatusCode, found: &Found, tag: &str, body: Body) -> MlflowResult<Response> {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let name = found.path.name();
    headers.insert(header::CONTENT_TYPE, value(names::content_type(name))?);
    headers.insert(header::CONTENT_DISPOSITION, value(&names::attachment(name))?);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::ETAG, value(tag)?);
    Ok(response)
}

fn value(text: &str) -> MlflowResult<HeaderValue> {
    HeaderValue::from_str(text).map_err(MlflowError::internal)
}
