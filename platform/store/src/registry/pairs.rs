//! Tables of keys and values that belong to something.

use super::Tags;
use crate::Result;
use crate::db::{Column, Insert, Tx, Value};

/// A table of `key` and `value`, and the column that says whose they are.
#[derive(Clone, Copy)]
pub(super) struct PairsOf {
    pub table: &'static str,
    pub column: &'static str,
}

/// One owner in such a table.
#[derive(Clone, Copy)]
pub(super) struct Owned<'a> {
    of: PairsOf,
    owner: Value<'a>,
}

impl PairsOf {
    pub const fn of(self, owner: Value<'_>) -> Owned<'_> {
        Owned { of: self, owner }
    }
}

/// A key that is there gets the new value. Of a key that is given twice, the last counts.
pub(super) fn put_pairs(tx: &mut Tx<'_>, owned: Owned<'_>, pairs: &Tags) -> Result<()> {
    let Owned { of: PairsOf { table, column }, owner } = owned;
    let is_last = |at: usize| pairs[at + 1..].iter().all(|(key, _)| *key != pairs[at].0);
    let (keys, values): (Vec<_>, Vec<_>) = pairs
        .iter()
        .enumerate()
        .filter(|(at, _)| is_last(*at))
        .map(|(_, (key, value))| (key.as_str(), value.as_str()))
        .unzip();
    let insert = Insert {
        table,
        columns: &[column, "key", "value"],
        on_conflict: &format!("ON CONFLICT ({column}, key) DO UPDATE SET value = excluded.value"),
    };
    let rows = keys.len();
    tx.insert(&insert, &[Column::Same(owner, rows), Column::Text(keys), Column::Text(values)])?;
    Ok(())
}

/// Answers whether there was such a key.
pub(super) fn remove_pair(tx: &mut Tx<'_>, owned: Owned<'_>, key: &str) -> Result<bool> {
    let Owned { of: PairsOf { table, column }, owner } = owned;
    let sql = format!("DELETE FROM {table} WHERE {column} = $1 AND key = $2");
    Ok(tx.execute(&sql, &[owner, key.into()])? > 0)
}
