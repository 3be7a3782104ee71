//! Conditions on one value, as SQL.

use serde_json::Value as Json;
use tiegel_search::{Condition, Op, Pattern};

use super::entity::Values;
use super::sql::Places;

/// Characters of a split value's head.
pub(super) const HEAD_CHARS: usize = 250;

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

    /// LIKE itself will not do: SQLite's does not mind case, and what Postgres's ILIKE minds depends on its settings.
    pub fn like(self, places: &mut Places, sql: &str, pattern: &Pattern) -> String {
        match (self, pattern.like()) {
            (Self::Sqlite, _) => format!("{sql} GLOB {}", places.add(pattern.glob().as_str())),
            (Self::Postgres, Some(like)) => format!("{sql} LIKE {} ESCAPE ''", places.add(like)),
            (Self::Postgres, None) => format!("{sql} ~ {}", places.add(pattern.posix().as_str())),
        }
    }
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

/// The head and the rest of a value.
pub(super) fn split(value: &str) -> (&str, Option<&str>) {
    match value.char_indices().nth(HEAD_CHARS) {
        Some((end, _)) => (&value[..end], Some(&value[end..])),
        None => (value, None),
    }
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
