use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tiegel_distribution::{Code, RegistryError};

pub(crate) type OciResult<T> = Result<T, OciError>;

/// The specification's error: a status and `{"errors": [{"code", "message", "detail"}]}`.
#[derive(Debug)]
pub(crate) struct OciError(pub RegistryError);

impl OciError {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(RegistryError::new(code, message))
    }

    pub fn no_repository() -> Self {
        Self::new(Code::NameInvalid, "repositories are named plugins/PROJECT/PLUGIN")
    }

    pub fn unsupported() -> Self {
        Self::new(Code::Unsupported, "this registry does not do that: see the answer's Allow header")
    }
}

impl From<RegistryError> for OciError {
    fn from(error: RegistryError) -> Self {
        Self(error)
    }
}

fn named(code: Code) -> (StatusCode, &'static str) {
    match code {
        Code::BlobUnknown => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
        Code::BlobUploadInvalid => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
        Code::BlobUploadUnknown => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
        Code::DigestInvalid => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
        Code::ManifestBlobUnknown => (StatusCode::NOT_FOUND, "MANIFEST_BLOB_UNKNOWN"),
        Code::ManifestInvalid => (StatusCode::BAD_REQUEST, "MANIFEST_INVALID"),
        Code::ManifestUnknown => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
        Code::NameInvalid => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
        Code::NameUnknown => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
        Code::SizeInvalid => (StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID"),
        Code::Denied => (StatusCode::FORBIDDEN, "DENIED"),
        Code::Unsupported => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
        Code::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS"),
        Code::OutOfOrder => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
        Code::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
    }
}

impl IntoResponse for OciError {
    fn into_response(self) -> Response {
        let Self(RegistryError { code, mut message }) = self;
        if code == Code::Internal {
            tracing::error!(cause = message, "the registry failed");
            message = "the server could not finish the request: look at the server's log".to_owned();
        }
        let (status, code) = named(code);
        let detail = serde_json::Value::Null;
        (status, Json(json!({ "errors": [{ "code": code, "message": message, "detail": detail }] }))).into_response()
    }
}
