//! Typed reading of columns, and writing of values that read back as they were.

use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::StoreError;

pub(crate) trait Columns {
    fn int(&self, column: &str) -> sqlx::Result<i64>;
    fn int_opt(&self, column: &str) -> sqlx::Result<Option<i64>>;
    fn text(&self, column: &str) -> sqlx::Result<String>;
    fn text_opt(&self, column: &str) -> sqlx::Result<Option<String>>;

    fn flag(&self, column: &str) -> sqlx::Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// An integer that is stored as 64 bits and narrower, or unsigned, here.
    fn count<T: TryFrom<i64, Error: Display>>(&self, column: &str) -> sqlx::Result<T> {
        T::try_from(self.int(column)?).map_err(|error| unreadable(column, error))
    }

    fn count_opt<T: TryFrom<i64, Error: Display>>(&self, column: &str) -> sqlx::Result<Option<T>> {
        self.int_opt(column)?.map(|value| T::try_from(value).map_err(|error| unreadable(column, error))).transpose()
    }

    fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> sqlx::Result<T> {
        self.text(column)?.parse().map_err(|error| unreadable(column, error))
    }

    fn parsed_opt<T: FromStr<Err: Display>>(&self, column: &str) -> sqlx::Result<Option<T>> {
        self.text_opt(column)?.map(|text| text.parse().map_err(|error| unreadable(column, error))).transpose()
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> sqlx::Result<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| unreadable(column, error))
    }

    fn json_opt<T: DeserializeOwned>(&self, column: &str) -> sqlx::Result<Option<T>> {
        let text = self.text_opt(column)?;
        text.map(|text| serde_json::from_str(&text).map_err(|error| unreadable(column, error))).transpose()
    }
}

impl Columns for AnyRow {
    fn int(&self, column: &str) -> sqlx::Result<i64> {
        self.try_get(column)
    }

    fn int_opt(&self, column: &str) -> sqlx::Result<Option<i64>> {
        self.try_get(column)
    }

    fn text(&self, column: &str) -> sqlx::Result<String> {
        self.try_get(column)
    }

    fn text_opt(&self, column: &str) -> sqlx::Result<Option<String>> {
        self.try_get(column)
    }
}

pub(crate) fn unreadable(column: &str, error: impl Display) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: error.to_string().into() }
}

/// JSON text of a value, after making sure that it reads back: JSON has no NaN and no infinity, so a float that is one
/// would be written as `null` and poison its row.
pub(crate) fn json_text<T: Serialize + DeserializeOwned>(what: &str, value: &T) -> Result<String, StoreError> {
    let text = serde_json::to_string(value).map_err(|error| StoreError::Invalid(format!("{what}: {error}")))?;
    match serde_json::from_str::<T>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(StoreError::Invalid(format!(
            "{what} cannot be stored as JSON ({error}): is a number in it NaN or infinite?"
        ))),
    }
}

/// JSON text of a value that is JSON already.
pub(crate) fn value_text(value: &serde_json::Value) -> String {
    value.to_string()
}

/// A size as the databases hold it: no stored thing has 2^63 bytes or rows.
pub(crate) fn size(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Messages may hold anything a program printed; Postgres takes no NUL in text.
pub(crate) fn message(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_json_cannot_hold_is_refused() {
        let refused = json_text("the metrics", &vec![f64::NAN]).unwrap_err();
        assert!(refused.to_string().contains("NaN"), "{refused}");
        assert_eq!(json_text("the metrics", &vec![0.1]).unwrap(), "[0.1]");
    }
}
