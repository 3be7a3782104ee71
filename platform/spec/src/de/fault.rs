use std::fmt;

use serde::de::{self, Expected, Unexpected};
use tiegel_types::nearest;

use crate::field::{FieldPath, Segment};
use crate::node::Mark;

/// Why a node is not what its field asks for.
#[derive(Debug)]
pub(crate) struct Fault(Box<Parts>);

#[derive(Debug)]
struct Parts {
    message: String,
    hint: Option<String>,
    mark: Option<Mark>,
    /// Innermost first.
    path: Vec<Segment>,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Parts { message: message.into(), hint: None, mark: None, path: Vec::new() }))
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets the place unless one nearer to the cause is known.
    pub(crate) fn at(mut self, mark: Mark) -> Self {
        self.0.mark.get_or_insert(mark);
        self
    }

    pub(crate) fn inside(mut self, segment: Segment) -> Self {
        self.0.path.push(segment);
        self
    }

    pub(crate) fn into_parts(self) -> (FieldPath, Mark, String, Option<String>) {
        let Parts { message, hint, mark, mut path } = *self.0;
        path.reverse();
        (FieldPath(path), mark.unwrap_or_default(), message, hint)
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {}, found {}", describe_expected(expected), describe_found(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("'{variant}' is none of {}", expected.join(", "))).meant(variant, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let fault = Self::new(format!("unknown field '{field}'")).meant(field, expected);
        if fault.0.hint.is_some() { fault } else { fault.hint(format!("the known fields are {}", expected.join(", "))) }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the field '{field}' is missing"))
    }
}

impl Fault {
    fn meant(self, word: &str, known: &'static [&'static str]) -> Self {
        match nearest(word, known.iter().copied()) {
            Some(near) => self.hint(format!("did you mean '{near}'?")),
            None => self,
        }
    }
}

fn describe_expected(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" => "a whole number, 0 or more".to_owned(),
        "f64" => "a number".to_owned(),
        "a string" => "text".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "fields".to_owned(),
        _ if text.starts_with("struct ") => "fields".to_owned(),
        _ => text,
    }
}

fn describe_found(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(b) => b.to_string(),
        Unexpected::Unsigned(n) => format!("the number {n}"),
        Unexpected::Signed(n) => format!("the number {n}"),
        Unexpected::Float(x) => format!("the number {x}"),
        Unexpected::Str(text) => format!("the text '{text}'"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "fields".to_owned(),
        Unexpected::UnitVariant => "only its name".to_owned(),
        other => other.to_string(),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<Segment> = self.0.path.iter().rev().cloned().collect();
        if !path.is_empty() {
            write!(f, "{}: ", FieldPath(path))?;
        }
        f.write_str(&self.0.message)?;
        match &self.0.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}
