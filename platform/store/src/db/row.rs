use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::{Result, StoreError};

/// One row of an answer; columns are counted from 0.
pub(crate) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r PgRow),
}

impl Row<'_> {
    pub fn int(&self, column: usize) -> Result<i64> {
        match self {
            Row::Sqlite(row) => Ok(row.get(column)?),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub fn int_opt(&self, column: usize) -> Result<Option<i64>> {
        match self {
            Row::Sqlite(row) => Ok(row.get(column)?),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// An integer that is narrower, or unsigned, here.
    pub fn count<T: TryFrom<i64, Error: Display>>(&self, column: usize) -> Result<T> {
        T::try_from(self.int(column)?).map_err(|error| unreadable(column, error))
    }

    pub fn count_opt<T: TryFrom<i64, Error: Display>>(&self, column: usize) -> Result<Option<T>> {
        self.int_opt(column)?.map(|value| T::try_from(value).map_err(|error| unreadable(column, error))).transpose()
    }

    pub fn flag(&self, column: usize) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    pub fn real(&self, column: usize) -> Result<f64> {
        match self {
            Row::Sqlite(row) => Ok(row.get(column)?),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub fn real_opt(&self, column: usize) -> Result<Option<f64>> {
        match self {
            Row::Sqlite(row) => Ok(row.get(column)?),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Text in place, without a copy.
    pub fn str(&self, column: usize) -> Result<&str> {
        match self {
            Row::Sqlite(row) => {
                row.get_ref(column)?.as_str().map_err(|error| StoreError::Engine(format!("column {column}: {error}")))
            }
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub fn text(&self, column: usize) -> Result<String> {
        self.str(column).map(str::to_owned)
    }

    pub fn text_opt(&self, column: usize) -> Result<Option<String>> {
        match self {
            Row::Sqlite(row) => Ok(row.get(column)?),
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    /// Bytes in place, without a copy.
    pub fn bytes(&self, column: usize) -> Result<&[u8]> {
        match self {
            Row::Sqlite(row) => {
                row.get_ref(column)?.as_blob().map_err(|error| StoreError::Engine(format!("column {column}: {error}")))
            }
            Row::Postgres(row) => Ok(row.try_get(column)?),
        }
    }

    pub fn parsed<T: FromStr<Err: Display>>(&self, column: usize) -> Result<T> {
        self.str(column)?.parse().map_err(|error| unreadable(column, error))
    }

    pub fn parsed_opt<T: FromStr<Err: Display>>(&self, column: usize) -> Result<Option<T>> {
        let text = self.text_opt(column)?;
        text.map(|text| text.parse().map_err(|error| unreadable(column, error))).transpose()
    }

    pub fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T> {
        serde_json::from_str(self.str(column)?).map_err(|error| unreadable(column, error))
    }

    pub fn json_opt<T: DeserializeOwned>(&self, column: usize) -> Result<Option<T>> {
        let text = self.text_opt(column)?;
        text.map(|text| serde_json::from_str(&text).map_err(|error| unreadable(column, error))).transpose()
    }
}

fn unreadable(column: usize, error: impl Display) -> StoreError {
    StoreError::Engine(format!("column {column} cannot be read back: {error}"))
}
