use std::collections::{BTreeMap, BTreeSet};

use crate::Result;
use crate::db::{Row, Tx, Value};

use super::MlflowDatabase;

const SQLITE_COLUMNS: &str =
    "SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'";
const POSTGRES_COLUMNS: &str = "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) \
     FROM information_schema.columns WHERE table_schema = current_schema()";

pub fn columns(tx: &mut Tx<'_>) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let sql = if tx.is_sqlite() { SQLITE_COLUMNS } else { POSTGRES_COLUMNS };
    let mut tables = BTreeMap::<String, BTreeSet<String>>::new();
    tx.for_each(sql, &[], |row| {
        tables.entry(row.text(0)?).or_default().insert(row.text(1)?);
        Ok(())
    })?;
    Ok(tables)
}

/// What a column is read as, on both databases: other programs' columns are of many types.
#[derive(Clone, Copy)]
pub enum As {
    Int,
    Real,
    Text,
}

impl As {
    fn sql(self) -> &'static str {
        match self {
            As::Int => "BIGINT",
            As::Real => "DOUBLE PRECISION",
            As::Text => "TEXT",
        }
    }
}

impl MlflowDatabase {
    pub(super) fn has(&self, table: &str) -> bool {
        self.columns.contains_key(table)
    }

    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.columns.get(table).is_some_and(|columns| columns.contains(column))
    }

    /// `SELECT` of columns, with NULL for those that the table does not have.
    pub(super) fn select(&self, table: &str, columns: &[(&str, As)]) -> String {
        let column = |(name, read_as): &(&str, As)| match self.has_column(table, name) {
            true => format!("CAST({name} AS {})", read_as.sql()),
            false => format!("CAST(NULL AS {})", read_as.sql()),
        };
        format!("SELECT {} FROM {table}", columns.iter().map(column).collect::<Vec<_>>().join(", "))
    }

    /// A condition that keeps to the workspace, with its value at place `$at`.
    pub(super) fn in_workspace(&self, table: &str, at: usize) -> String {
        let condition = if self.has_column(table, "workspace") { format!("workspace = ${at}") } else { "1 = 1".into() };
        // The value is bound in both cases.
        format!("({condition} OR CAST(${at} AS TEXT) IS NULL)")
    }
}

/// `($2, $3, …)` for as many values, from place `first` on.
pub fn places(values: usize, first: usize) -> String {
    let places: Vec<_> = (first..first + values).map(|at| format!("${at}")).collect();
    format!("({})", places.join(", "))
}

pub fn texts(values: &[String]) -> Vec<Value<'_>> {
    values.iter().map(Value::from).collect()
}

/// Reads rows of owner, key and value, and groups them by owner. What has no key is nothing; no value is an empty one.
pub fn pairs(tx: &mut Tx<'_>, sql: &str, values: &[Value<'_>]) -> Result<BTreeMap<String, Vec<(String, String)>>> {
    let mut groups = BTreeMap::<String, Vec<(String, String)>>::new();
    tx.for_each(sql, values, |row| {
        groups.entry(row.text(0)?).or_default().push((row.text(1)?, text(&row, 2)?));
        Ok(())
    })?;
    Ok(groups)
}

/// A text; empty for NULL.
pub fn text(row: &Row<'_>, column: usize) -> Result<String> {
    Ok(row.text_opt(column)?.unwrap_or_default())
}

/// A number; 0 for NULL.
pub fn int(row: &Row<'_>, column: usize) -> Result<i64> {
    Ok(row.int_opt(column)?.unwrap_or_default())
}
