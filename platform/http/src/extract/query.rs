use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{ApiError, ProblemItem};

/// The query string.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parse(&parts.uri).map(Self)
    }
}

fn parse<T: DeserializeOwned>(uri: &Uri) -> Result<T, ApiError> {
    axum::extract::Query::try_from_uri(uri).map(|axum::extract::Query(value)| value).map_err(|rejection| {
        let text = rejection.body_text();
        let what = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
        // An error inside one parameter starts with its name; one about the whole has no name before the colon.
        let name = what.split_once(": ").map(|(name, _)| name).filter(|name| !name.contains([' ', '`']));
        let item = match name {
            Some(name) => ProblemItem::new(name, &what[name.len() + 2..]),
            None => ProblemItem::new("", what),
        };
        let detail = match name {
            Some(name) => format!("query parameter '{name}': {}", item.detail),
            None => format!("the query string: {what}"),
        };
        ApiError::bad_request("invalid_query", detail).with_errors(vec![item])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Page {
        limit: u32,
    }

    fn error_of(uri: &'static str) -> String {
        parse::<Page>(&Uri::from_static(uri)).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        assert_eq!(
            error_of("/runs?limit=many"),
            "400 invalid_query: query parameter 'limit': invalid digit found in string"
        );
    }

    #[test]
    fn a_missing_and_an_unknown_parameter_are_named() {
        assert_eq!(error_of("/runs"), "400 invalid_query: the query string: missing field `limit`");
        let text = error_of("/runs?limit=3&ofset=2");
        assert!(text.contains("unknown field `ofset`, expected `limit`"), "{text}");
    }

    #[test]
    fn a_good_query_is_read() {
        assert_eq!(parse::<Page>(&Uri::from_static("/runs?limit=3")).unwrap().limit, 3);
    }
}
