//! Requests as the protocol writes them: a JSON object in the body, or a query string, read leniently.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::params::Params;
use crate::{MlflowError, MlflowResult};

const CONTENT_TYPE: &str = "application/json";

impl<S: Send + Sync> FromRequest<S> for Params {
    type Rejection = MlflowError;

    /// A `GET` has its fields in the query string, anything else in the body; an empty body is `{}`.
    async fn from_request(request: Request, state: &S) -> Result<Self, MlflowError> {
        if request.method() == Method::GET {
            return of_query(request.uri().query().unwrap_or_default());
        }
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_none_or(|value| value.split(';').next().is_some_and(|kind| kind.trim() == CONTENT_TYPE));
        let query = request.uri().query().map(of_query).transpose()?;
        let body = body(request, state).await?;
        if body.is_empty() {
            return Ok(query.unwrap_or_default());
        }
        if !is_json {
            return Err(MlflowError::new(
                crate::ErrorCode::BadRequest,
                "Bad Request. Content-Type must be 'application/json'.",
            ));
        }
        of_body(&body)
    }
}

/// The whole body; a longer one than is taken is refused.
pub(crate) async fn body<S: Send + Sync>(request: Request, state: &S) -> MlflowResult<Bytes> {
    Bytes::from_request(request, state).await.map_err(|rejection| MlflowError::invalid(rejection.body_text()))
}

pub(crate) fn of_body(body: &[u8]) -> MlflowResult<Params> {
    let malformed = |error: serde_json::Error| MlflowError::invalid(format!("the body is not valid JSON: {error}"));
    let mut value: Value = serde_json::from_slice(body).map_err(malformed)?;
    // Old clients encode the object twice.
    if let Value::String(text) = &value {
        value = serde_json::from_str(text).map_err(malformed)?;
    }
    match value {
        Value::Object(fields) => Ok(Params::new(fields)),
        Value::Null => Ok(Params::default()),
        other => Err(MlflowError::invalid(format!("the body must be a JSON object, and is {}", kind(&other)))),
    }
}

/// A field that is repeated becomes a list.
pub(crate) fn of_query(query: &str) -> MlflowResult<Params> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query)
        .map_err(|error| MlflowError::invalid(format!("the query string: {error}")))?;
    let mut fields = Map::new();
    for (key, value) in pairs {
        let value = Value::String(value);
        match fields.get_mut(&key) {
            None => _ = fields.insert(key, value),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Ok(Params::of_query(fields))
}

pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A JSON answer.
pub(crate) struct Answer(pub Value);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], self.0.to_string()).into_response()
    }
}
