use std::time::Duration;

use axum::response::{IntoResponse, Response};
use tiegel_context::OpError;
use tiegel_http::ApiError;

pub type ApiResult<T> = Result<T, Failure>;

/// What a handler answers when it does not succeed: the one place that decides a domain error's status.
#[derive(Debug)]
pub struct Failure(pub ApiError);

impl From<OpError> for Failure {
    fn from(error: OpError) -> Self {
        Self(match error {
            OpError::Invalid { code, message } => ApiError::unprocessable(code, message),
            OpError::NotFound(message) => ApiError::not_found("not_found", message),
            OpError::Conflict(message) => ApiError::conflict("conflict", message),
            OpError::Limit(message) => ApiError::payload_too_large("limit_exceeded", message),
            OpError::Busy(message) => ApiError::too_many_requests("busy", message, Duration::from_secs(1)),
            OpError::Cancelled => ApiError::conflict("cancelled", "the operation was cancelled"),
            OpError::Internal(message) => ApiError::internal(message),
        })
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<tiegel_store::StoreError> for Failure {
    fn from(error: tiegel_store::StoreError) -> Self {
        OpError::from(error).into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

/// A path segment, query or header value of the wrong form.
pub fn malformed(what: impl std::fmt::Display) -> Failure {
    Failure(ApiError::bad_request("malformed", what.to_string()))
}
