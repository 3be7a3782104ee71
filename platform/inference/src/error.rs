use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tiegel_context::OpError;
use tiegel_serving::Absent;

/// Seconds after which a client that was told to wait may try again.
const RETRY_AFTER_SECONDS: u64 = 1;

/// The protocol's error: a status and `{"error": "…"}`.
#[derive(Debug)]
pub(crate) struct ProtocolError {
    status: StatusCode,
    message: String,
}

impl ProtocolError {
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }

    pub fn method_not_allowed() -> Self {
        let message =
            "this path takes another method: GET for metadata, POST for infer and repository/index".to_owned();
        Self { status: StatusCode::METHOD_NOT_ALLOWED, message }
    }
}

impl From<Absent> for ProtocolError {
    fn from(absent: Absent) -> Self {
        let status = match &absent {
            Absent::Unknown(_) => StatusCode::NOT_FOUND,
            Absent::NotReady { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self { status, message: absent.to_string() }
    }
}

impl From<OpError> for ProtocolError {
    fn from(error: OpError) -> Self {
        let status = match &error {
            OpError::Invalid { .. } | OpError::Limit(_) => StatusCode::BAD_REQUEST,
            OpError::NotFound(_) => StatusCode::NOT_FOUND,
            OpError::Conflict(_) => StatusCode::CONFLICT,
            OpError::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            OpError::Cancelled => StatusCode::SERVICE_UNAVAILABLE,
            OpError::Internal(cause) => {
                tracing::error!(cause, "inference failed");
                let message = "the server could not finish the request: look at the server's log".to_owned();
                return Self { status: StatusCode::INTERNAL_SERVER_ERROR, message };
            }
        };
        Self { status, message: error.to_string() }
    }
}

impl From<BytesRejection> for ProtocolError {
    fn from(rejection: BytesRejection) -> Self {
        Self { status: rejection.status(), message: rejection.body_text() }
    }
}

impl IntoResponse for ProtocolError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.message }))).into_response();
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}
