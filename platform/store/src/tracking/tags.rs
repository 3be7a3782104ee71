use super::runs::{NAME_TAG, RunHead, run_to_write};
use super::{Scope, last_of_each, text};
use crate::db::{Column, Insert, Tx};
use crate::pool::Backend;
use crate::{Result, Store, StoreError};

impl Store {
    /// Sets tags, all or none; the last value of a key stays. The tag of its name renames the run.
    #[tracing::instrument(name = "db.runs.set_tags", skip_all, fields(tags = tags.len()))]
    pub async fn set_tags(&self, scope: &Scope, run: &str, tags: Vec<(String, String)>) -> Result<()> {
        let keys = self.keys();
        if let (Backend::Postgres, [(key, value)]) = (self.backend(), &tags[..])
            && key != NAME_TAG
            && let Some(id) = keys.remembered(key)
        {
            return self.set_tag_directly(scope, run, (id, value.clone())).await;
        }
        let (scope, run) = (scope.clone(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let head = run_to_write(tx, &scope, &run)?;
            let tags = to_set(&tags);
            let ids = keys.intern(tx, &tags.iter().map(|(key, _)| *key).collect::<Vec<_>>())?;
            set_tags(tx, head, &ids, &tags)
        };
        self.transact(operation).await
    }

    #[tracing::instrument(name = "db.runs.delete_tag", skip_all)]
    pub async fn delete_tag(&self, scope: &Scope, run: &str, key: &str) -> Result<()> {
        let (scope, keys, run, key) = (scope.clone(), self.keys(), run.to_owned(), key.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let head = run_to_write(tx, &scope, &run)?;
            let deleted = match keys.find(tx, &key)? {
                Some(id) => {
                    tx.execute("DELETE FROM run_tags WHERE run = $1 AND key = $2", &[head.id.into(), id.into()])?
                }
                None => 0,
            };
            if deleted == 0 {
                return Err(StoreError::NotFound(format!("No tag with name: {key} in run with id {run}")));
            }
            Ok(())
        };
        self.transact(operation).await
    }

    /// Makes the new value of a tag from the one that is there.
    #[tracing::instrument(name = "db.runs.amend_tag", skip_all)]
    pub async fn amend_tag<F>(&self, scope: &Scope, run: &str, key: &str, amend: F) -> Result<()>
    where
        F: FnOnce(Option<&str>) -> Result<String> + Send + 'static,
    {
        let (scope, keys, run, key) = (scope.clone(), self.keys(), run.to_owned(), key.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let head = run_to_write(tx, &scope, &run)?;
            let sql = "SELECT head, rest FROM run_tags WHERE run = $1 AND key = $2";
            let old = match keys.find(tx, &key)? {
                Some(id) => {
                    tx.row(sql, &[head.id.into(), id.into()], |row| Ok(text::join(row.str(0)?, row.text_opt(1)?)))?
                }
                None => None,
            };
            let ids = keys.intern(tx, &[&key])?;
            set_tags(tx, head, &ids, &[(&key, &amend(old.as_deref())?)])
        };
        self.transact(operation).await
    }
}

/// Those tags that have an effect, no key twice: an empty name is no name.
pub(crate) fn to_set(tags: &[(String, String)]) -> Vec<(&str, &str)> {
    let mut tags = last_of_each(tags);
    tags.retain(|(key, value)| *key != NAME_TAG || !value.is_empty());
    tags
}

/// Sets tags, whose keys are `ids`, and renames the run where one of them is its name.
pub(crate) fn set_tags(tx: &mut Tx<'_>, head: RunHead, ids: &[i64], tags: &[(&str, &str)]) -> Result<()> {
    if let Some((_, name)) = tags.iter().find(|(key, _)| *key == NAME_TAG) {
        tx.execute("UPDATE runs SET name = $2 WHERE id = $1", &[head.id.into(), (*name).into()])?;
    }
    put_tags(tx, head, ids, tags)
}

/// Writes tags, no key twice, whose keys are `ids`.
pub(crate) fn put_tags(tx: &mut Tx<'_>, head: RunHead, ids: &[i64], tags: &[(&str, &str)]) -> Result<()> {
    let mut rows: Vec<_> = ids.iter().copied().zip(tags.iter().map(|(_, value)| text::split(value))).collect();
    // In one order, so that no two transactions wait for each other.
    rows.sort_unstable_by_key(|(key, _)| *key);
    let insert = Insert {
        table: "run_tags",
        columns: &["run", "key", "experiment_id", "head", "rest"],
        on_conflict: "ON CONFLICT (run, key) DO UPDATE SET head = excluded.head, rest = excluded.rest",
    };
    let columns = [
        Column::Same(head.id.into(), rows.len()),
        Column::Int(rows.iter().map(|(key, _)| *key).collect()),
        Column::Same(head.experiment_id.into(), rows.len()),
        Column::Text(rows.iter().map(|(_, (head, _))| *head).collect()),
        Column::TextOpt(rows.iter().map(|(_, (_, rest))| *rest).collect()),
    ];
    tx.insert(&insert, &columns)?;
    Ok(())
}
