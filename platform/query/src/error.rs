//! DataFusion's errors as short sentences for users.

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use tiegel_engine::{TableError, UnsupportedColumn};

/// Characters of an error text taken over from a library.
const MESSAGE_CHARS_MAX: usize = 600;
/// Characters of a user's value shown in a message.
const VALUE_CHARS_MAX: usize = 60;

pub(crate) fn invalid(message: impl Into<String>) -> TableError {
    TableError::Invalid(message.into())
}

pub(crate) fn internal(what: &str, error: impl std::fmt::Display) -> TableError {
    TableError::Internal(format!("{what}: {error}"))
}

pub(crate) fn unsupported(column: UnsupportedColumn) -> TableError {
    TableError::Invalid(column.to_string())
}

/// A user's text as it is shown in messages: one line, cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(VALUE_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(VALUE_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Translates an error of planning or running, and takes out what this crate or a plugin put in.
pub(crate) fn from_datafusion(error: &DataFusionError) -> TableError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => from_datafusion(inner),
        DataFusionError::Shared(inner) => from_datafusion(inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => from_datafusion(first),
            None => TableError::Internal("an empty list of errors".into()),
        },
        DataFusionError::External(inner) => from_external(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => from_arrow(inner),
        DataFusionError::ParquetError(inner) => internal("reading a stored table", sentence(&inner.to_string())),
        DataFusionError::ObjectStore(inner) => internal("reading a blob", sentence(&inner.to_string())),
        DataFusionError::IoError(inner) => internal("reading or spilling", inner),
        DataFusionError::ResourcesExhausted(message) => TableError::Limit(format!(
            "the query needs more memory or spill space than the engine may use: {}",
            sentence(message)
        )),
        DataFusionError::SQL(parser, _) => {
            invalid(format!("the SQL does not parse: {}", parser_message(&parser.to_string())))
        }
        DataFusionError::SchemaError(schema, _) => invalid(schema_message(schema)),
        DataFusionError::NotImplemented(message) => invalid(format!("not supported: {}", sentence(message))),
        DataFusionError::Plan(message)
        | DataFusionError::Execution(message)
        | DataFusionError::Configuration(message) => invalid(sentence(message)),
        other => TableError::Internal(sentence(&other.strip_backtrace())),
    }
}

fn from_arrow(error: &ArrowError) -> TableError {
    match error {
        ArrowError::ExternalError(inner) => from_external(inner.as_ref()),
        ArrowError::IoError(message, _) => internal("reading or spilling", message),
        ArrowError::CastError(m)
        | ArrowError::ComputeError(m)
        | ArrowError::ParseError(m)
        | ArrowError::ArithmeticOverflow(m) => invalid(sentence(m)),
        ArrowError::DivideByZero => invalid("division by zero: guard it with nullif(divisor, 0)"),
        other => TableError::Internal(sentence(&other.to_string())),
    }
}

fn from_external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> TableError {
    if let Some(own) = error.downcast_ref::<TableError>() {
        return match own {
            TableError::Invalid(m) => TableError::Invalid(m.clone()),
            TableError::Plugin(failure) => TableError::Plugin(failure.clone()),
            TableError::Limit(m) => TableError::Limit(m.clone()),
            TableError::Cancelled => TableError::Cancelled,
            TableError::Internal(m) => TableError::Internal(m.clone()),
        };
    }
    match error.downcast_ref::<DataFusionError>() {
        Some(inner) => from_datafusion(inner),
        None => TableError::Internal(sentence(&error.to_string())),
    }
}

/// `ParserError("Expected: ..., found: ... at Line: 1, Column: 8")` without its wrapping.
fn parser_message(text: &str) -> String {
    let inner =
        text.trim_start_matches("sql parser error: ").trim_start_matches("ParserError(\"").trim_end_matches("\")");
    sentence(&inner.replace(" at Line: ", " at line ").replace(", Column: ", ", column "))
}

fn schema_message(error: &SchemaError) -> String {
    let text = sentence(&error.to_string());
    match error {
        SchemaError::FieldNotFound { .. } => {
            text.replacen("No field named", "no column named", 1).replace("Valid fields are", "The columns are")
        }
        SchemaError::AmbiguousReference { field } => {
            format!(
                "column '{}' is in more than one table: write table.{} for the one you mean",
                field.name, field.name
            )
        }
        _ => text.replace("Schema contains duplicate", "there is a duplicate"),
    }
}

/// One line without the library's own headings and advice.
fn sentence(text: &str) -> String {
    const HEADINGS: [&str; 6] = [
        "Error during planning: ",
        "Schema error: ",
        "Execution error: ",
        "Invalid argument error: ",
        "Cast error: ",
        "Arrow error: ",
    ];
    const NOISE: [&str; 3] = [
        " or disable the datafusion.sql_parser.enable_ident_normalization configuration",
        "datafusion.public.",
        "DataFusion error: ",
    ];
    let text = text.split("\n\nbacktrace").next().unwrap_or_default();
    let text = text.split("\nThis issue was likely caused").next().unwrap_or_default();
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    while let Some(rest) = HEADINGS.iter().find_map(|heading| line.strip_prefix(heading)) {
        line = rest.to_owned();
    }
    for noise in NOISE {
        line = line.replace(noise, "");
    }
    match line.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
