//! Names of metrics, params and tags as integers. A name keeps its integer for ever, so this process remembers both.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::db::{Column, Insert, Tx, Value};
use crate::{Result, StoreError};

/// Names that are remembered; with more, all are forgotten and those in use come back.
const NAMES_MAX: usize = 50_000;
/// Values in one look-up.
const LOOKUP_VALUES_MAX: usize = 500;

/// What this process remembers. Only what was read from the database gets in, never what was just written: a transaction
/// that fails takes its new names with it.
#[derive(Debug, Default)]
pub(crate) struct Keys(RwLock<Names>);

#[derive(Debug, Default)]
struct Names {
    ids: HashMap<Arc<str>, i64>,
    names: HashMap<i64, Arc<str>>,
}

impl Keys {
    /// The integer of a name that is in use.
    pub fn find(&self, tx: &mut Tx<'_>, name: &str) -> Result<Option<i64>> {
        if let Some(id) = self.remembered(name) {
            return Ok(Some(id));
        }
        let id = tx.row("SELECT id FROM keys WHERE name = $1", &[name.into()], |row| row.int(0))?;
        if let Some(id) = id {
            self.remember([(id, Arc::from(name))]);
        }
        Ok(id)
    }

    /// The integers of names, in their order; a name without one gets it.
    pub fn intern(&self, tx: &mut Tx<'_>, names: &[&str]) -> Result<Vec<i64>> {
        let mut ids: Vec<Option<i64>> = {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            names.iter().map(|name| known.ids.get(*name).copied()).collect()
        };
        if ids.contains(&None) {
            let mut unknown: Vec<&str> =
                names.iter().zip(&ids).filter(|(_, id)| id.is_none()).map(|(name, _)| *name).collect();
            unknown.sort_unstable();
            unknown.dedup();
            let found = self.find_or_add(tx, &unknown)?;
            for (name, id) in names.iter().zip(&mut ids) {
                *id = id.or_else(|| found.get(*name).copied());
            }
        }
        ids.into_iter().collect::<Option<_>>().ok_or_else(|| StoreError::Engine("a name was not interned".to_owned()))
    }

    /// The names of integers that rows refer to, in their order.
    pub fn names(&self, tx: &mut Tx<'_>, ids: impl Iterator<Item = i64> + Clone) -> Result<Vec<Arc<str>>> {
        if let Some(names) = self.known(ids.clone()) {
            return Ok(names);
        }
        let mut distinct: Vec<i64> = ids.clone().collect();
        distinct.sort_unstable();
        distinct.dedup();
        let mut names = HashMap::with_capacity(distinct.len());
        for chunk in distinct.chunks(LOOKUP_VALUES_MAX) {
            let (places, values) = one_of(chunk, 1);
            let sql = format!("SELECT id, name FROM keys WHERE id IN {places}");
            let found = tx.rows(&sql, &values, |row| Ok((row.int(0)?, Arc::from(row.str(1)?))))?;
            names.extend(found.iter().cloned());
            self.remember(found);
        }
        let named = |id| names.get(&id).cloned().ok_or_else(|| StoreError::Engine(format!("key {id} has no name")));
        ids.map(named).collect()
    }

    /// Forgets everything: a commit failed, and what was read before it may never have been.
    pub fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Names::default();
    }

    /// The integers of names, in their order, if all of them are remembered.
    pub fn all_remembered<'n>(&self, names: impl Iterator<Item = &'n str>) -> Option<Vec<i64>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        names.map(|name| known.ids.get(name).copied()).collect()
    }

    pub fn remembered(&self, name: &str) -> Option<i64> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).ids.get(name).copied()
    }

    fn remember(&self, pairs: impl IntoIterator<Item = (i64, Arc<str>)>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (id, name) in pairs {
            if known.ids.len() >= NAMES_MAX {
                *known = Names::default();
            }
            known.ids.insert(name.clone(), id);
            known.names.insert(id, name);
        }
    }

    fn find_or_add(&self, tx: &mut Tx<'_>, names: &[&str]) -> Result<HashMap<Arc<str>, i64>> {
        let mut found = select(tx, names)?;
        if found.len() == names.len() {
            self.remember(found.iter().map(|(name, id)| (*id, name.clone())));
            return Ok(found);
        }
        let missing: Vec<&str> = names.iter().filter(|name| !found.contains_key(**name)).copied().collect();
        let insert = Insert { table: "keys", columns: &["name"], on_conflict: "ON CONFLICT (name) DO NOTHING" };
        tx.insert(&insert, &[Column::Text(missing.clone())])?;
        found.extend(select(tx, &missing)?);
        Ok(found)
    }

    /// If all of them are remembered.
    fn known(&self, ids: impl Iterator<Item = i64>) -> Option<Vec<Arc<str>>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        ids.map(|id| known.names.get(&id).cloned()).collect()
    }
}

fn select(tx: &mut Tx<'_>, names: &[&str]) -> Result<HashMap<Arc<str>, i64>> {
    let mut found = HashMap::with_capacity(names.len());
    for chunk in names.chunks(LOOKUP_VALUES_MAX) {
        let (places, values) = one_of(chunk, 1);
        let sql = format!("SELECT name, id FROM keys WHERE name IN {places}");
        tx.for_each(&sql, &values, |row| {
            found.insert(Arc::from(row.str(0)?), row.int(1)?);
            Ok(())
        })?;
    }
    Ok(found)
}

/// `($3, $4)` and its values, for a statement whose places before `first` are taken. The last value is repeated up to a
/// power of two, so that there are few different statements to prepare.
pub(crate) fn one_of<'v, T: Copy + Into<Value<'v>>>(values: &[T], first: usize) -> (String, Vec<Value<'v>>) {
    let count = values.len().next_power_of_two();
    let places: Vec<_> = (first..first + count).map(|at| format!("${at}")).collect();
    let padding = values.last().into_iter().cycle().take(count - values.len());
    (format!("({})", places.join(", ")), values.iter().chain(padding).map(|value| (*value).into()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_filled_up_to_a_power_of_two() {
        assert_eq!(one_of(&[7_i64, 8, 9], 2), ("($2, $3, $4, $5)".to_owned(), [7, 8, 9, 9].map(Value::from).to_vec()));
        assert_eq!(one_of(&["a"], 1).0, "($1)");
    }
}
