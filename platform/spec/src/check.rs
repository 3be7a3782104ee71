//! What documents must say beyond their shape. Each rule names the field that breaks it.

mod dataset;
mod endpoint;
mod pipeline;
mod split;
mod step;
mod training;

use std::collections::HashMap;

use tiegel_types::{Kind, Name, nearest};

use crate::diagnostic::{Diagnostic, Location, Severity};
use crate::document::Document;
use crate::field::FieldPath;
use crate::kinds::Spec;
use crate::node::Mark;

/// Checks documents that did not come through `parse`, such as those of an API request. They are one whole project.
///
/// Errors and warnings, in the order of the documents; each at its document's own location.
pub fn check(documents: &[Document]) -> Vec<Diagnostic> {
    findings(documents).into_iter().map(|finding| finding.at(documents, Mark::default())).collect()
}

pub(crate) struct Finding {
    /// The index of the document.
    pub(crate) document: usize,
    pub(crate) severity: Severity,
    pub(crate) path: FieldPath,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Finding {
    /// `mark` is the field's place; where it is unknown, the document's location stands.
    pub(crate) fn at(self, documents: &[Document], mark: Mark) -> Diagnostic {
        let Finding { document, severity, path, message, hint } = self;
        let known = &documents[document].location;
        let location = if mark.line == 0 {
            known.clone()
        } else {
            Location { file: known.file.clone(), line: mark.line, column: mark.column }
        };
        Diagnostic { severity, location, field: path.to_string(), message, hint }
    }
}

pub(crate) fn findings(documents: &[Document]) -> Vec<Finding> {
    let mut checker = Checker { documents, document: 0, found: Vec::new() };
    for (index, document) in documents.iter().enumerate() {
        checker.document = index;
        let spec = FieldPath::new("spec");
        checker.unique_name(document);
        match &document.spec {
            Spec::Dataset(dataset) => checker.dataset(&spec, dataset),
            Spec::Pipeline(pipeline) => checker.pipeline(&spec, pipeline),
            Spec::Training(training) => checker.training(&spec, training),
            Spec::Endpoint(endpoint) => checker.endpoint(&spec, endpoint),
        }
    }
    checker.found
}

struct Checker<'a> {
    documents: &'a [Document],
    /// The index of the document that is being checked.
    document: usize,
    found: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn error(&mut self, path: &FieldPath, message: impl Into<String>, hint: impl Into<Hint>) {
        self.find(Severity::Error, path, message.into(), hint.into());
    }

    fn warning(&mut self, path: &FieldPath, message: impl Into<String>, hint: impl Into<Hint>) {
        self.find(Severity::Warning, path, message.into(), hint.into());
    }

    fn find(&mut self, severity: Severity, path: &FieldPath, message: String, hint: Hint) {
        self.found.push(Finding { document: self.document, severity, path: path.clone(), message, hint: hint.0 });
    }

    fn unique_name(&mut self, document: &Document) {
        let earlier = &self.documents[..self.document];
        let Some(first) = earlier.iter().find(|d| d.kind == document.kind && d.name == document.name) else { return };
        let message = format!("there is a second {} '{}'", document.kind, document.name);
        let path = FieldPath::new("metadata").field("name");
        self.error(&path, message, format!("the first is at {}", first.location).as_str());
    }

    fn resource(&self, kind: Kind, name: &str) -> Option<&'a Document> {
        self.documents.iter().find(|d| d.kind == kind && d.name.as_str() == name)
    }

    fn names(&self, kind: Kind) -> impl Iterator<Item = &'a str> {
        self.documents.iter().filter(move |d| d.kind == kind).map(|d| d.name.as_str())
    }

    /// Columns that are named twice, or not at all.
    fn columns(&mut self, path: &FieldPath, columns: &[String]) {
        let mut seen = HashMap::new();
        for (i, column) in columns.iter().enumerate() {
            if column.is_empty() {
                self.error(&path.item(i), "a column needs a name", NO_HINT);
            } else if seen.insert(column, i).is_some() {
                self.error(&path.item(i), format!("the column '{column}' is named twice"), "keep one of them");
            }
        }
    }

    fn not_empty(&mut self, path: &FieldPath, text: &str) {
        if text.trim().is_empty() {
            self.error(path, "the text is empty", NO_HINT);
        }
    }

    /// Names the ones that are set where exactly one must be.
    fn exactly_one(&mut self, path: &FieldPath, choices: &[(&str, bool)]) -> bool {
        let set: Vec<&str> = choices.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect();
        let all: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let all = all.join(", ");
        match set.len() {
            1 => true,
            0 => {
                self.error(path, format!("exactly one of {all} is needed; none is written"), NO_HINT);
                false
            }
            _ => {
                self.error(path, format!("exactly one of {all} is needed; {} are written", set.join(" and ")), NO_HINT);
                false
            }
        }
    }
}

/// What to do about a finding, where that is not plain.
struct Hint(Option<String>);

const NO_HINT: Hint = Hint(None);

impl From<&str> for Hint {
    fn from(text: &str) -> Self {
        Self(Some(text.to_owned()))
    }
}

impl From<Option<String>> for Hint {
    fn from(text: Option<String>) -> Self {
        Self(text)
    }
}

/// "did you mean", or the names there are.
fn meant<'a>(word: &Name, known: impl Iterator<Item = &'a str>, kind: &str) -> Hint {
    let known: Vec<&str> = known.collect();
    Hint(Some(match nearest(word.as_str(), known.iter().copied()) {
        Some(near) => format!("did you mean '{near}'?"),
        None if known.is_empty() => format!("there is no {kind} here"),
        None => format!("there is {}", known.join(", ")),
    }))
}
