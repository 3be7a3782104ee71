use serde_json::json;

use super::events::Claimed;
use super::{Change, Tags, no_version};
use crate::db::{Column, Insert, Tx};
use crate::{Result, Store, StoreError};

/// What tags belong to.
#[derive(Clone, Copy)]
pub(super) enum Owner {
    Model(i64),
    Version(i64),
}

impl Owner {
    fn table(self) -> (&'static str, &'static str, i64) {
        match self {
            Self::Model(id) => ("registered_model_tags", "model", id),
            Self::Version(id) => ("model_version_tags", "version", id),
        }
    }
}

impl Store {
    #[tracing::instrument(name = "db.models.set_tag", skip_all)]
    pub async fn set_model_tag(&self, model: &str, (key, value): (String, String), change: Change) -> Result<()> {
        let model = model.to_owned();
        self.transact(move |tx| {
            let model = Claimed::hold(tx, &model)?;
            let payload = json!({ "name": "", "key": key, "value": value });
            put(tx, Owner::Model(model.id), &vec![(key, value)])?;
            let model = Claimed::hold(tx, &model.name)?;
            model.tell(tx, &change, ("", "prompt_tag.set"), payload)
        })
        .await
    }

    /// A tag that is not there is as good as deleted.
    #[tracing::instrument(name = "db.models.delete_tag", skip_all)]
    pub async fn delete_model_tag(&self, model: &str, key: String, change: Change) -> Result<()> {
        let model = model.to_owned();
        self.transact(move |tx| {
            let model = Claimed::hold(tx, &model)?;
            if remove(tx, Owner::Model(model.id), &key)? {
                model.tell(tx, &change, ("", "prompt_tag.deleted"), json!({ "name": "", "key": key }))?;
            }
            Ok(())
        })
        .await
    }

    #[tracing::instrument(name = "db.models.set_version_tag", skip_all)]
    pub async fn set_version_tag(
        &self,
        (model, version): (&str, u32),
        (key, value): (String, String),
        change: Change,
    ) -> Result<()> {
        let model = model.to_owned();
        self.transact(move |tx| {
            let (model, id) = held_version(tx, &model, version)?;
            let payload = json!({ "name": "", "version": version.to_string(), "key": key, "value": value });
            put(tx, Owner::Version(id), &vec![(key, value)])?;
            model.tell(tx, &change, ("model_version_tag.set", "prompt_version_tag.set"), payload)
        })
        .await
    }

    /// A tag that is not there is as good as deleted.
    #[tracing::instrument(name = "db.models.delete_version_tag", skip_all)]
    pub async fn delete_version_tag(&self, (model, version): (&str, u32), key: String, change: Change) -> Result<()> {
        let model = model.to_owned();
        self.transact(move |tx| {
            let (model, id) = held_version(tx, &model, version)?;
            if remove(tx, Owner::Version(id), &key)? {
                let payload = json!({ "name": "", "version": version.to_string(), "key": key });
                model.tell(tx, &change, ("model_version_tag.deleted", "prompt_version_tag.deleted"), payload)?;
            }
            Ok(())
        })
        .await
    }
}

/// The model, held, and the id of the version's row.
pub(super) fn held_version(tx: &mut Tx<'_>, model: &str, version: u32) -> Result<(Claimed, i64)> {
    let missing = || no_version(model, version);
    let claimed = Claimed::hold(tx, model).map_err(|error| match error {
        StoreError::NotFound(_) => missing(),
        other => other,
    })?;
    let sql = "SELECT id FROM model_versions WHERE model = $1 AND version = $2";
    let id = tx.row(sql, &[claimed.id.into(), i64::from(version).into()], |row| row.int(0))?;
    Ok((claimed, id.ok_or_else(missing)?))
}

/// Of a key that is there twice, the last counts.
pub(super) fn put(tx: &mut Tx<'_>, owner: Owner, tags: &Tags) -> Result<()> {
    let (table, column, id) = owner.table();
    let is_last = |at: usize| tags[at + 1..].iter().all(|(key, _)| *key != tags[at].0);
    let (keys, values): (Vec<_>, Vec<_>) = tags
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
    tx.insert(&insert, &[Column::Same(id.into(), rows), Column::Text(keys), Column::Text(values)])?;
    Ok(())
}

fn remove(tx: &mut Tx<'_>, owner: Owner, key: &str) -> Result<bool> {
    let (table, column, id) = owner.table();
    let sql = format!("DELETE FROM {table} WHERE {column} = $1 AND key = $2");
    Ok(tx.execute(&sql, &[id.into(), key.into()])? > 0)
}
