use axum::extract::FromRequestParts;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{ApiError, ProblemItem};

/// The parameters of the route's path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<T>(pub T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Path(value) =
            axum::extract::Path::from_request_parts(parts, state).await.map_err(refused)?;
        Ok(Self(value))
    }
}

fn refused(rejection: PathRejection) -> ApiError {
    let PathRejection::FailedToDeserializePathParams(err) = rejection else {
        return ApiError::internal(rejection);
    };
    let item = match err.into_kind() {
        ErrorKind::ParseErrorAtKey { key, value, expected_type } => {
            ProblemItem::new(key, format!("'{value}' is not a {expected_type}"))
        }
        ErrorKind::ParseErrorAtIndex { index, value, expected_type } => {
            ProblemItem::new(format!("[{index}]"), format!("'{value}' is not a {expected_type}"))
        }
        ErrorKind::ParseError { value, expected_type } => {
            ProblemItem::new("", format!("'{value}' is not a {expected_type}"))
        }
        ErrorKind::InvalidUtf8InPathParam { key } => ProblemItem::new(key, "it is not UTF-8 once percent-decoded"),
        ErrorKind::DeserializeError { key, value: _, message } => ProblemItem::new(key, message),
        ErrorKind::Message(message) => ProblemItem::new("", message),
        // The route and its handler disagree: that is our mistake, not the client's.
        other => return ApiError::internal(other.to_string()),
    };
    let detail = match item.path.as_str() {
        "" => format!("the path: {}", item.detail),
        key => format!("path parameter '{key}': {}", item.detail),
    };
    ApiError::bad_request("invalid_path", detail).with_errors(vec![item])
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tiegel_types::Name;

    use super::*;
    use crate::edge::testing::{get_from, problem_of};

    #[derive(serde::Deserialize)]
    struct VersionPath {
        name: Name,
        version: u32,
    }

    fn router() -> Router {
        Router::new()
            .route(
                "/models/{name}/versions/{version}",
                get(async |Path(at): Path<VersionPath>| format!("{}@{}", at.name, at.version)),
            )
            .route("/models/{name}", get(async |Path(name): Path<Name>| name.to_string()))
            .route("/broken/{a}/{b}", get(async |Path(a): Path<String>| a))
    }

    #[tokio::test]
    async fn a_parameter_that_does_not_parse_is_named() {
        let problem = problem_of(get_from(router(), "/models/delay/versions/last").await).await;
        assert_eq!((problem.status, problem.code.as_str()), (400, "invalid_path"));
        assert_eq!(problem.detail, "path parameter 'version': 'last' is not a u32");
        assert_eq!(problem.errors[0].path, "version");
    }

    #[tokio::test]
    async fn the_rule_of_a_name_is_told() {
        for uri in ["/models/1a/versions/2", "/models/1a"] {
            let problem = problem_of(get_from(router(), uri).await).await;
            assert!(problem.detail.contains("'1a' is not a name: use 1 to 63"), "{}", problem.detail);
        }
    }

    #[tokio::test]
    async fn a_handler_that_disagrees_with_its_route_is_our_mistake() {
        assert_eq!(get_from(router(), "/broken/a/b").await.status(), 500);
    }

    #[tokio::test]
    async fn good_parameters_are_read() {
        assert_eq!(get_from(router(), "/models/delay/versions/3").await.status(), 200);
    }
}
