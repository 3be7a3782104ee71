use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::problem::{PROBLEM_JSON, Problem, ProblemItem, title_of};

/// The one error type of every handler; it answers as a [`Problem`].
///
/// A domain crate's error becomes an `ApiError` in one `From`, which decides the status and the code.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    errors: Vec<ProblemItem>,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// `code` is stable and in snake_case; `detail` is a sentence that says what was wrong and what to do.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { status, code: code.into(), detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    pub fn bad_request(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub fn unauthorized(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    pub fn forbidden(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    pub fn not_found(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    pub fn conflict(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub fn payload_too_large(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail)
    }

    /// The request is well formed and its content is wrong.
    pub fn unprocessable(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// 429 with `Retry-After`, rounded up to whole seconds.
    pub fn too_many_requests(
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
        retry_after: Duration,
    ) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail) }
    }

    /// 503 with `Retry-After`, rounded up to whole seconds.
    pub fn unavailable(code: impl Into<Cow<'static, str>>, detail: impl Into<String>, retry_after: Duration) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail) }
    }

    /// Logs the error and its causes, and hides them from the client.
    pub fn internal(err: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let err = err.into();
        tracing::error!(error = %Causes(err.as_ref()), "request failed");
        let hint = match tiegel_telemetry::current_trace_id() {
            Some(_) => "look for the trace id in the server's log",
            None => "look at the server's log",
        };
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            format!("the server could not finish the request: {hint}"),
        )
    }

    /// Names the fields that are wrong.
    pub fn with_errors(mut self, errors: Vec<ProblemItem>) -> Self {
        self.errors = errors;
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &str {
        &self.code
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What is sent, with the trace id of the span that is current now.
    pub fn into_problem(self) -> Problem {
        Problem {
            kind: format!("urn:tiegel:problem:{}", self.code),
            title: title_of(&self.code),
            status: self.status.as_u16(),
            code: self.code.into_owned(),
            detail: self.detail,
            trace_id: tiegel_telemetry::current_trace_id(),
            errors: self.errors,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.detail)
    }
}

impl StdError for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status;
        let retry_after = self.retry_after;
        let body = serde_json::to_vec(&self.into_problem()).expect("a problem holds only text and numbers");
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        if let Some(wait) = retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// An error, then each of its causes, on one line.
struct Causes<'a>(&'a (dyn StdError + Send + Sync));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(err) = cause {
            write!(f, ": {err}")?;
            cause = err.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::testing::problem_of;

    #[tokio::test]
    async fn an_error_answers_as_a_problem_with_its_code_and_fields() {
        let error = ApiError::unprocessable("invalid_config", "the config does not fit the plugin's schema")
            .with_errors(vec![ProblemItem::new("steps[0].config", "unknown key 'meen'").at(3, 7)]);
        let response = error.into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        let problem = problem_of(response).await;
        assert_eq!((problem.status, problem.code.as_str()), (422, "invalid_config"));
        assert_eq!(problem.kind, "urn:tiegel:problem:invalid_config");
        assert_eq!(problem.title, "Invalid config");
        assert_eq!(problem.errors[0].path, "steps[0].config");
        assert_eq!((problem.errors[0].line, problem.errors[0].column), (Some(3), Some(7)));
    }

    #[tokio::test]
    async fn retry_after_is_rounded_up_to_whole_seconds() {
        let response =
            ApiError::too_many_requests("queue_full", "256 requests wait already", Duration::from_millis(1_200))
                .into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }

    #[tokio::test]
    async fn an_internal_error_hides_its_cause() {
        let response = ApiError::internal("password=hunter2 was refused by the database").into_response();
        assert_eq!(response.status(), 500);
        let problem = problem_of(response).await;
        assert_eq!(problem.code, "internal_error");
        assert!(!problem.detail.contains("hunter2"), "{}", problem.detail);
        assert!(problem.detail.contains("log"), "{}", problem.detail);
    }

    #[test]
    fn causes_are_written_on_one_line() {
        let inner = std::io::Error::other("disk full");
        let outer = std::io::Error::other(Wrapped(inner));
        assert_eq!(Causes(&outer).to_string(), "cannot write the blob: disk full");
    }

    #[derive(Debug)]
    struct Wrapped(std::io::Error);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot write the blob")
        }
    }

    impl StdError for Wrapped {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }
}
