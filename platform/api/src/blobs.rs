use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use tiegel_http::{ApiError, Path, Problem};
use tiegel_types::{Digest, limits};

use crate::failure::malformed;
use crate::{ApiResult, ApiState};

fn digest(text: &str) -> ApiResult<Digest> {
    text.parse().map_err(malformed)
}

/// Stores a file under its digest: whole or not at all.
#[utoipa::path(put, path = "/api/v1/blobs/{digest}", tag = "blobs", params(("digest" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, description = "Stored"), (status = "4XX", body = Problem)))]
pub async fn put_blob(State(state): State<ApiState>, Path(text): Path<String>, body: Body) -> ApiResult<StatusCode> {
    let digest = digest(&text)?;
    let stream = body.into_data_stream().map_err(std::io::Error::other);
    let stored = state.ctx.blobs.put_stream(stream, Some(digest), limits::UPLOAD_BYTES_MAX).await;
    stored.map_err(|error| upload_failure(&error))?;
    Ok(StatusCode::CREATED)
}

/// A body that ends early, is too long or is not what its digest says.
pub fn upload_failure(error: &tiegel_context::BlobError) -> ApiError {
    ApiError::bad_request("upload_refused", format!("{error}; nothing was stored, so send it again"))
}

/// Whether a file is stored, and its length. One that is need not be sent: it stays for a day though nothing names it.
#[utoipa::path(head, path = "/api/v1/blobs/{digest}", tag = "blobs", params(("digest" = String, Path)),
    responses((status = 200, description = "Stored"), (status = 404, description = "Not stored")))]
pub async fn head_blob(State(state): State<ApiState>, Path(text): Path<String>) -> ApiResult<Response> {
    let digest = digest(&text)?;
    let exists = state.ctx.blobs.renew(&digest).await.map_err(tiegel_context::OpError::from)?;
    if !exists {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let bytes = state.ctx.blobs.size(&digest).await.map_err(tiegel_context::OpError::from)?;
    Ok([(header::CONTENT_LENGTH, bytes.to_string())].into_response())
}
