use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{ApiError, ProblemItem};

/// A JSON body, in or out. The request's `Content-Type` is not looked at, so that plain `curl -d` works.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

impl<T, S> FromRequest<S> for Json<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state).await.map_err(unread)?;
        parse(&body).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn unread(rejection: BytesRejection) -> ApiError {
    match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => ApiError::payload_too_large(
            "body_too_large",
            "the body is larger than this route accepts: send less in one request, or upload it as a file",
        ),
        other => ApiError::bad_request("body_unreadable", format!("the body could not be read to its end: {other}")),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::bad_request("empty_body", "the body is empty: send JSON"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|err| refused(&err.path().to_string(), err.inner()))?;
    deserializer.end().map_err(|err| refused("", &err))?;
    Ok(value)
}

/// A syntax error is 400, a value that does not fit is 422.
fn refused(path: &str, err: &serde_json::Error) -> ApiError {
    let path = if path == "." { "" } else { path };
    let (line, column) = (err.line(), err.column());
    let message = err.to_string();
    // serde_json ends its text with the place; we say it once, in the same words for every error.
    let what = message.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&message);
    let place = format!("line {line}, column {column}");
    let item = ProblemItem::new(path, what).at(line, column);
    let error = match err.classify() {
        Category::Data => {
            let field = if path.is_empty() { "the body".to_owned() } else { format!("field '{path}'") };
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", format!("{field}: {what} ({place})"))
        }
        Category::Syntax | Category::Eof | Category::Io => {
            ApiError::bad_request("malformed_json", format!("the body is not valid JSON: {what} ({place})"))
        }
    };
    error.with_errors(vec![item])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors of parsing are looked at")]
    struct Plan {
        steps: Vec<Step>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors of parsing are looked at")]
    struct Step {
        name: String,
    }

    fn error_of(body: &str) -> ApiError {
        parse::<Plan>(body.as_bytes()).unwrap_err()
    }

    #[test]
    fn a_value_of_the_wrong_type_names_its_field_and_place() {
        let error = error_of("{\"steps\": [{\"name\": \"a\"},\n {\"name\": 5}]}");
        assert_eq!(
            error.to_string(),
            "422 invalid_body: field 'steps[1].name': invalid type: integer `5`, expected a string (line 2, column 11)"
        );
        let problem = error.into_problem();
        assert_eq!(problem.errors[0].path, "steps[1].name");
        assert_eq!((problem.errors[0].line, problem.errors[0].column), (Some(2), Some(11)));
    }

    #[test]
    fn an_unknown_field_is_named_with_those_that_exist() {
        let text = error_of(r#"{"steps": [], "stepps": []}"#).to_string();
        assert!(text.contains("unknown field `stepps`, expected `steps`"), "{text}");
    }

    #[test]
    fn broken_json_says_where_it_breaks() {
        assert_eq!(
            error_of("{\"steps\": [\n}").to_string(),
            "400 malformed_json: the body is not valid JSON: expected value (line 2, column 1)"
        );
        assert!(error_of(r#"{"steps": []} x"#).to_string().contains("trailing characters (line 1, column 15)"));
        assert!(error_of(r#"{"steps": ["#).to_string().starts_with("400 malformed_json"));
    }

    #[test]
    fn an_empty_body_is_told_apart_from_broken_json() {
        assert_eq!(error_of(" \n").to_string(), "400 empty_body: the body is empty: send JSON");
    }
}
