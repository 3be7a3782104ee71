use serde_json::json;

use super::events::Claimed;
use super::{Change, PairsOf, no_version, put_pairs, remove_pair};
use crate::db::Tx;
use crate::{Result, Store, StoreError};

pub(super) const MODEL_TAGS: PairsOf = PairsOf { table: "registered_model_tags", column: "model" };
pub(super) const VERSION_TAGS: PairsOf = PairsOf { table: "model_version_tags", column: "version" };

impl Store {
    #[tracing::instrument(name = "db.models.set_tag", skip_all)]
    pub async fn set_model_tag(&self, model: &str, (key, value): (String, String), change: Change) -> Result<()> {
        let model = model.to_owned();
        self.transact(move |tx| {
            let model = Claimed::hold(tx, &model, &change)?;
            let payload = json!({ "name": "", "key": key, "value": value });
            put_pairs(tx, MODEL_TAGS.of(model.id.into()), &vec![(key, value)])?;
            let model = Claimed::hold(tx, &model.name, &change)?;
            model.tell(tx, &change, ("", "prompt_tag.set"), payload)
        })
        .await
    }

    /// A tag that is not there is as good as deleted.
    #[tracing::instrument(name = "db.models.delete_tag", skip_all)]
    pub async fn delete_model_tag(&self, model: &str, key: String, change: Change) -> Result<()> {
        let model = model.to_owned();
        self.transact(move |tx| {
            let model = Claimed::hold(tx, &model, &change)?;
            if remove_pair(tx, MODEL_TAGS.of(model.id.into()), &key)? {
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
            let (model, id) = held_version(tx, (&model, version), &change)?;
            let payload = json!({ "name": "", "version": version.to_string(), "key": key, "value": value });
            put_pairs(tx, VERSION_TAGS.of(id.into()), &vec![(key, value)])?;
            model.tell(tx, &change, ("model_version_tag.set", "prompt_version_tag.set"), payload)
        })
        .await
    }

    /// A tag that is not there is as good as deleted.
    #[tracing::instrument(name = "db.models.delete_version_tag", skip_all)]
    pub async fn delete_version_tag(&self, (model, version): (&str, u32), key: String, change: Change) -> Result<()> {
        let model = model.to_owned();
        self.transact(move |tx| {
            let (model, id) = held_version(tx, (&model, version), &change)?;
            if remove_pair(tx, VERSION_TAGS.of(id.into()), &key)? {
                let payload = json!({ "name": "", "version": version.to_string(), "key": key });
                model.tell(tx, &change, ("model_version_tag.deleted", "prompt_version_tag.deleted"), payload)?;
            }
            Ok(())
        })
        .await
    }
}

/// The model, held, and the id of the version's row.
pub(super) fn held_version(tx: &mut Tx<'_>, (model, version): (&str, u32), change: &Change) -> Result<(Claimed, i64)> {
    let missing = || no_version(model, version);
    let claimed = Claimed::hold(tx, model, change).map_err(|error| match error {
        StoreError::NotFound(_) => missing(),
        other => other,
    })?;
    let sql = "SELECT id FROM model_versions WHERE model = $1 AND version = $2";
    let id = tx.row(sql, &[claimed.id.into(), i64::from(version).into()], |row| row.int(0))?;
    Ok((claimed, id.ok_or_else(missing)?))
}
