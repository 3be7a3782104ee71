use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What went wrong, for programs (`code`) and for people (`detail`); RFC 9457.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:tiegel:problem:` and the code.
    #[serde(rename = "type")]
    #[schema(example = "urn:tiegel:problem:dataset_not_found")]
    pub kind: String,
    /// The code in words.
    #[schema(example = "Dataset not found")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// Stable, in snake_case: programs match on it.
    #[schema(example = "dataset_not_found")]
    pub code: String,
    /// A sentence that says what was wrong and what to do about it.
    #[schema(example = "project 'default' has no dataset 'flights': create it with `tiegel apply`")]
    pub detail: String,
    /// Finds the request in logs and traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: Option<String>,
    /// One entry for each field that is wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemItem>,
}

/// One field that is wrong, and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProblemItem {
    /// Such as `steps[0].name`; empty for the document as a whole.
    #[schema(example = "steps[0].name")]
    pub path: String,
    #[schema(example = "invalid type: integer `5`, expected a string")]
    pub detail: String,
    /// Counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

impl ProblemItem {
    pub fn new(path: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { path: path.into(), detail: detail.into(), line: None, column: None }
    }

    /// Says where in the text the field stands; both are counted from 1.
    pub fn at(mut self, line: usize, column: usize) -> Self {
        self.line = Some(line);
        self.column = Some(column);
        self
    }
}

/// `dataset_not_found` becomes `Dataset not found`.
pub(crate) fn title_of(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_code_in_words() {
        assert_eq!(title_of("dataset_not_found"), "Dataset not found");
        assert_eq!(title_of(""), "");
    }

    #[test]
    fn a_problem_leaves_out_what_it_does_not_know() {
        let problem = Problem {
            kind: "urn:tiegel:problem:x".into(),
            title: "X".into(),
            status: 400,
            code: "x".into(),
            detail: "wrong".into(),
            trace_id: None,
            errors: vec![],
        };
        let json = serde_json::to_value(&problem).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"type": "urn:tiegel:problem:x", "title": "X", "status": 400, "code": "x", "detail": "wrong"})
        );
    }
}
