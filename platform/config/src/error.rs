use std::ops::Range;

use tiegel_types::nearest;
use toml::de::{DeTable, DeValue};

/// Why a configuration is refused. No message repeats a line of the file: it could hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the config file {path}: {reason}")]
    Unreadable { path: String, reason: String },
    #[error("{path}:{line}:{column}: {}{reason}", if .field.is_empty() { String::new() } else { format!("{field}: ") })]
    File { path: String, line: usize, column: usize, field: String, reason: String },
    #[error("environment variable {name}: {reason}")]
    Variable { name: String, reason: String },
    #[error("{0}")]
    Rule(String),
}

pub(crate) fn file_error(path: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let span = error.span().unwrap_or_default();
    let before = text.get(..span.start).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    ConfigError::File {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        field: field_at(text, &span),
        reason: describe(error),
    }
}

/// The message, with the key that an unknown one was meant to be.
pub(crate) fn describe(error: &toml::de::Error) -> String {
    let message = error.message().lines().next().unwrap_or_default();
    let (Some(("unknown field ", names)), names_after) = (message.split_once('`'), message.split('`')) else {
        return plain(&message.replace('`', "'"));
    };
    let unknown = names.split('`').next().unwrap_or_default();
    // Serde names them as `a`, `b`, `c`: every second part, after the unknown one.
    let known: Vec<&str> = names_after.skip(3).step_by(2).collect();
    match nearest(unknown, known.iter().copied()) {
        Some(near) => format!("unknown key '{unknown}'; did you mean '{near}'?"),
        None => format!("unknown key '{unknown}'; the known keys are {}", known.join(", ")),
    }
}

/// Rust's names of types, as an operator would say them.
fn plain(message: &str) -> String {
    let types = [(", expected usize", ", expected a whole number"), (", expected u64", ", expected a whole number")];
    let said = types.iter().find_map(|(rust, said)| Some(format!("{}{said}", message.strip_suffix(rust)?)));
    said.unwrap_or_else(|| message.to_owned())
}

/// The dotted key whose name or value stands at a place.
fn field_at(text: &str, place: &Range<usize>) -> String {
    let Ok(table) = DeTable::parse(text) else { return String::new() };
    find(table.get_ref(), place).map(|path| path.join(".")).unwrap_or_default()
}

fn find(table: &DeTable<'_>, place: &Range<usize>) -> Option<Vec<String>> {
    let holds = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
    for (key, value) in table {
        let name = key.get_ref().to_string();
        if let DeValue::Table(inner) = value.get_ref()
            && let Some(path) = find(inner, place)
        {
            return Some([vec![name], path].concat());
        }
        if holds(key.span()) || holds(value.span()) {
            return Some(vec![name]);
        }
    }
    None
}
