//! Requests as the protocol writes them: a JSON object in the body, or a query string, read leniently.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
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
        check_content_type(request.headers().get(header::CONTENT_TYPE))?;
        let query = request.uri().query().map(of_query).transpose()?;
        let body = body(request, state).await?;
        if body.is_empty() { Ok(query.unwrap_or_default()) } else { of_body(&body) }
    }
}

/// Nothing but JSON is read, so that no page of another origin can send a form.
pub(crate) fn check_content_type(given: Option<&HeaderValue>) -> MlflowResult<()> {
    let kind = given.and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next()).map(str::trim);
    match kind {
        Some(CONTENT_TYPE) => Ok(()),
        Some(_) => Err(MlflowError::invalid("Bad Request. Content-Type must be one of ['application/json'].")),
        None => Err(MlflowError::invalid("Bad Request. Content-Type header is missing.")),
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

/// A JSON answer of what knows its own form.
pub(crate) fn answer(body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => json(body.into()),
        Err(error) => MlflowError::internal(error).into_response(),
    }
}

/// A JSON answer that is written already.
pub(crate) fn json(body: Body) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], body).into_response()
}

/// A JSON answer.
pub(crate) struct Answer(pub Value);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], self.0.to_string()).into_response()
    }
}
