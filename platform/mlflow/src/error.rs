use std::fmt;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tiegel_context::OpError;
use tiegel_search::SearchError;
use tiegel_store::StoreError;

pub type MlflowResult<T> = Result<T, MlflowError>;

/// The codes of the protocol that this server answers with; each has its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    BadRequest,
    InvalidParameterValue,
    InvalidState,
    ResourceAlreadyExists,
    ResourceConflict,
    ResourceDoesNotExist,
    EndpointNotFound,
    PermissionDenied,
    Unauthenticated,
    ResourceExhausted,
    NotImplemented,
    TemporarilyUnavailable,
    InternalError,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::InvalidParameterValue => "INVALID_PARAMETER_VALUE",
            Self::InvalidState => "INVALID_STATE",
            Self::ResourceAlreadyExists => "RESOURCE_ALREADY_EXISTS",
            Self::ResourceConflict => "RESOURCE_CONFLICT",
            Self::ResourceDoesNotExist => "RESOURCE_DOES_NOT_EXIST",
            Self::EndpointNotFound => "ENDPOINT_NOT_FOUND",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::NotImplemented => "NOT_IMPLEMENTED",
            Self::TemporarilyUnavailable => "TEMPORARILY_UNAVAILABLE",
            Self::InternalError => "INTERNAL_ERROR",
        }
    }

    pub fn status(self) -> StatusCode {
        match self {
            // An existing name is 400 in this protocol; so is a state that forbids the request, as a 5xx is retried.
            Self::BadRequest | Self::InvalidParameterValue | Self::InvalidState | Self::ResourceAlreadyExists => {
                StatusCode::BAD_REQUEST
            }
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::ResourceDoesNotExist | Self::EndpointNotFound => StatusCode::NOT_FOUND,
            Self::ResourceConflict => StatusCode::CONFLICT,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            Self::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The one error of every handler here; it answers as `{"error_code": …, "message": …}`.
#[derive(Clone, Debug, PartialEq)]
pub struct MlflowError {
    pub code: ErrorCode,
    pub message: String,
}

impl MlflowError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidParameterValue, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ResourceDoesNotExist, message)
    }

    pub fn exists(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ResourceAlreadyExists, message)
    }

    /// Logs the cause and hides it from the client.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(error = %cause, "request failed");
        Self::new(ErrorCode::InternalError, "the server could not finish the request: look at the server's log")
    }
}

impl fmt::Display for MlflowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for MlflowError {}

impl From<SearchError> for MlflowError {
    fn from(error: SearchError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<StoreError> for MlflowError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Invalid(message) | StoreError::Conflict(message) => Self::invalid(message),
            StoreError::NotFound(message) => Self::not_found(message),
            StoreError::Exists(message) => Self::exists(message),
            other => Self::internal(other),
        }
    }
}

impl From<OpError> for MlflowError {
    fn from(error: OpError) -> Self {
        match error {
            OpError::Invalid { message, .. } | OpError::Conflict(message) => Self::invalid(message),
            OpError::NotFound(message) => Self::not_found(message),
            OpError::Limit(message) => Self::invalid(message),
            OpError::Busy(message) => Self::new(ErrorCode::ResourceExhausted, message),
            OpError::Cancelled => Self::new(ErrorCode::TemporarilyUnavailable, "the server is stopping"),
            OpError::Internal(message) => Self::internal(message),
        }
    }
}

impl IntoResponse for MlflowError {
    fn into_response(self) -> Response {
        let body = json!({ "error_code": self.code.as_str(), "message": self.message });
        (self.code.status(), [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    }
}
