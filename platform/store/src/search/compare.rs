//! Conditions on one value, as SQL.

use serde_json::Value as Json;
use tiegel_search::{Condition, Op, Pattern};

use super::entity::Values;
use super::sql::Places;
use crate::tracking::{HEAD_CHARS, split};

/// A JSON text that Postgres can read: it has no text with a NUL, nor half of a surrogate pair.
const JSON_TEXT: &str = r#"^"([^"\\]|\\["\\/bfnrt]|\\u(?!0000|[dD][89a-fA-F])[0-9a-fA-F]{4})*"$"#;

/// The two databases differ in how they match patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// What a condition is about, in SQL.
pub(super) enum Subject<'a> {
    /// An expression whose values are integers or whole texts.
    Plain(&'a str),
    /// A row of a side table, by the name it has in the statement.
    Side(&'a str, Values),
}

impl Dialect {
    /// None for what neither database can say, and for what is not about one value that is there.
    pub fn condition(self, places: &mut Places, subject: &Subject<'_>, condition: &Condition) -> Option<String> {
        match subject {
            Subject::Plain(sql) => self.plain(places, sql, condition),
            Subject::Side(row, Values::Whole(column)) => self.plain(places, &format!("{row}.{column}"), condition),
            Subject::Side(row, Values::Number) => number(places, row, condition),
            Subject::Side(row, Values::Json) => self.json(places, row, condition),
            Subject::Side(row, Values::Split) => match condition {
                Condition::Equal(value) => Some(equal(places, row, value)),
                Condition::Differs(value) => Some(differs(places, row, value)),
                _ => {
                    let whole =
                        format!("CASE WHEN {row}.rest IS NULL THEN {row}.head ELSE {row}.head || {row}.rest END");
                    self.plain(places, &format!("({whole})"), condition)
                }
            },
        }
    }

    /// A text equals its JSON and, as numbers and flags are written without quotes, JSON that reads the same.
    fn json(self, places: &mut Places, row: &str, condition: &Condition) -> Option<String> {
        let list =
            |places: &mut Places, text: &str| places.add_all([text.to_owned(), Json::from(text).to_string()].iter());
        match condition {
            Condition::Equal(text) => Some(format!("{row}.value IN ({})", list(places, text))),
            Condition::Differs(text) => Some(format!("{row}.value NOT IN ({})", list(places, text))),
            Condition::Number(op, number) => {
                Some(format!("{row}.is_number = 1 AND {row}.number {} {}", op.sql(), places.add(*number)))
            }
            _ => self.plain(places, &format!("{row}.value"), condition),
        }
    }

    /// The value of an attribute in the content of a span `l`: what a JSON text says, anything else as it is written.
    pub fn span_attribute(self, places: &mut Places, key: &str) -> String {
        // Paths are bound: a `$` in SQL text is a place of its own.
        match self {
            Self::Sqlite => {
                let (all, attributes) = (places.add("$"), places.add("$.attributes"));
                format!(
                    "(SELECT CASE WHEN j.value NOT LIKE '\"%' OR NOT json_valid(j.value) THEN j.value \
                     ELSE j.value ->> {all} END FROM json_each(l.content, {attributes}) AS j WHERE j.key = {})",
                    places.add(key)
                )
            }
            Self::Postgres => {
                let text = places.add(JSON_TEXT);
                format!(
                    "(SELECT CASE WHEN j.value ~ {text} THEN j.value::json #>> '{{}}' ELSE j.value END \
                     FROM json_each_text(l.content::json -> 'attributes') AS j (key, value) WHERE j.key = {})",
                    places.add(key)
                )
            }
        }
    }

    fn plain(self, places: &mut Places, sql: &str, condition: &Condition) -> Option<String> {
        Some(match condition {
            Condition::Integer(op, value) => format!("{sql} {} {}", op.sql(), places.add(*value)),
            Condition::Number(op, value) => format!("{sql} {} {}", op.sql(), places.add(*value)),
            Condition::IntegerIn(values) => format!("{sql} IN ({})", places.add_all(values.iter().copied())),
            Condition::IntegerNotIn(values) => format!("{sql} NOT IN ({})", places.add_all(values.iter().copied())),
            Condition::Equal(value) => format!("{sql} = {}", places.add(value)),
            Condition::Differs(value) => format!("{sql} <> {}", places.add(value)),
            Condition::In(values) => format!("{sql} IN ({})", places.add_all(values)),
            Condition::NotIn(values) => format!("{sql} NOT IN ({})", places.add_all(values)),
            Condition::Like(pattern) => self.like(places, sql, pattern),
            Condition::Present => format!("{sql} IS NOT NULL"),
            Condition::Missing => format!("{sql} IS NULL"),
            Condition::Unless(value) => format!("({sql} IS NULL OR {sql} <> {})", places.add(value)),
            Condition::Matches(_) | Condition::Never => return None,
        })
    }

    /// What LIKE minds differs: in SQLite no case at all, in Postgres a backslash. Of other letters than those of ASCII,
    /// what they think is one letter in two cases depends on settings.
    pub fn like(self, places: &mut Places, sql: &str, pattern: &Pattern) -> String {
        let text = pattern.as_str();
        match (self, pattern.minds_case()) {
            (Self::Sqlite, false) if text.is_ascii() => format!("{sql} LIKE {}", places.add(text)),
            (Self::Sqlite, _) => format!("{sql} GLOB {}", places.add(pattern.glob().as_str())),
            (Self::Postgres, true) => format!("{sql} LIKE {}", places.add(escaped(text).as_str())),
            (Self::Postgres, false) if text.is_ascii() => {
                let lower = escaped(&text.to_ascii_lowercase());
                format!("lower({sql} COLLATE \"C\") LIKE {}", places.add(lower.as_str()))
            }
            (Self::Postgres, false) => format!("{sql} ~ {}", places.add(pattern.posix().as_str())),
        }
    }
}

/// For Postgres, where a backslash would take the meaning of the character after it.
fn escaped(pattern: &str) -> String {
    pattern.replace('\\', "\\\\")
}

/// NaN differs from every number, and no other comparison with it is true.
fn number(places: &mut Places, row: &str, condition: &Condition) -> Option<String> {
    let Condition::Number(op, value) = condition else { return None };
    let place = places.add(*value);
    Some(match op {
        Op::Differs => format!("({row}.value <> {place} OR {row}.is_nan = 1)"),
        _ => format!("{row}.is_nan = 0 AND {row}.value {} {place}", op.sql()),
    })
}

/// Whether a head can only be the whole value, so that nobody need look at the rest.
pub(super) fn is_short(value: &str) -> bool {
    value.chars().count() < HEAD_CHARS
}

fn equal(places: &mut Places, row: &str, value: &str) -> String {
    let (head, rest) = split(value);
    let head = format!("{row}.head = {}", places.add(head));
    match rest {
        _ if is_short(value) => head,
        None => format!("{head} AND {row}.rest IS NULL"),
        Some(rest) => format!("{head} AND {row}.rest = {}", places.add(rest)),
    }
}

fn differs(places: &mut Places, row: &str, value: &str) -> String {
    let (head, rest) = split(value);
    let head = format!("{row}.head <> {}", places.add(head));
    match rest {
        _ if is_short(value) => head,
        None => format!("({head} OR {row}.rest IS NOT NULL)"),
        Some(rest) => format!("({head} OR {row}.rest IS NULL OR {row}.rest <> {})", places.add(rest)),
    }
}
