use serde_json::json;
use tiegel_types::Name;

use super::events::Claimed;
use super::{Change, ModelVersionRow, loading, no_model, no_version};
use crate::db::Tx;
use crate::{Result, Store};

impl Store {
    /// Points an alias at a version. Answers whether it pointed elsewhere; then there is an audit row.
    #[tracing::instrument(name = "db.models.set_alias", skip_all, fields(%model, %alias, version))]
    pub async fn set_alias(&self, model: &str, alias: &str, version: u32, change: Change) -> Result<bool> {
        let (model, alias) = (model.to_owned(), alias.to_owned());
        self.transact(move |tx| {
            let model = Claimed::hold(tx, &model, &change)?;
            point(tx, &model, (&alias, version), &change)
        })
        .await
    }

    /// Answers whether there was such an alias; then there is an audit row.
    #[tracing::instrument(name = "db.models.delete_alias", skip_all, fields(%model, %alias))]
    pub async fn delete_alias(&self, model: &str, alias: &str, change: Change) -> Result<bool> {
        let (model, alias) = (model.to_owned(), alias.to_owned());
        self.transact(move |tx| {
            let model = Claimed::hold(tx, &model, &change)?;
            let Some(before) = target(tx, model.id, &alias)? else { return Ok(false) };
            let sql = "DELETE FROM model_aliases WHERE model = $1 AND alias = $2";
            tx.execute(sql, &[model.id.into(), (&alias).into()])?;
            let subject = format!("model/{}@{alias}", model.name);
            model.audit(tx, &change, ("alias.delete", subject), json!({ "from": before }))?;
            let payload = json!({ "name": "", "alias": alias });
            model.tell(tx, &change, ("model_version_alias.deleted", "prompt_alias.deleted"), payload)?;
            Ok(true)
        })
        .await
    }

    /// The version that an alias points at.
    #[tracing::instrument(name = "db.models.alias", skip_all)]
    pub async fn alias(&self, project: &Name, model: &str, alias: &str) -> Result<Option<u32>> {
        let (project, model, alias) = (project.clone(), model.to_owned(), alias.to_owned());
        self.query(move |tx| {
            let sql = "SELECT a.version FROM model_aliases a JOIN registered_models m ON m.id = a.model \
                       WHERE m.project = $1 AND m.name = $2 AND a.alias = $3";
            tx.row(sql, &[project.as_str().into(), (&model).into(), (&alias).into()], |row| row.count(0))
        })
        .await
    }

    /// The same with all that is known of the version. A model that does not exist is an error.
    #[tracing::instrument(name = "db.models.version_by_alias", skip_all)]
    pub async fn version_by_alias(&self, project: &Name, model: &str, alias: &str) -> Result<Option<ModelVersionRow>> {
        let (project, model, alias) = (project.clone(), model.to_owned(), alias.to_owned());
        self.query(move |tx| {
            let sql = "SELECT id FROM registered_models WHERE project = $1 AND name = $2";
            let id = tx.row(sql, &[project.as_str().into(), (&model).into()], |row| row.int(0))?;
            let id = id.ok_or_else(|| no_model(&model))?;
            let rest =
                "WHERE model = $1 AND version = (SELECT version FROM model_aliases WHERE model = $1 AND alias = $2)";
            Ok(loading::versions(tx, rest, &[id.into(), (&alias).into()])?.pop())
        })
        .await
    }
}

/// Moves an alias, with an audit row and an event if it moved.
pub(super) fn point(tx: &mut Tx<'_>, model: &Claimed, (alias, version): (&str, u32), change: &Change) -> Result<bool> {
    let before = target(tx, model.id, alias)?;
    if before == Some(version) {
        return Ok(false);
    }
    let sql = "INSERT INTO model_aliases (model, alias, version, updated_ms) \
               SELECT model, $2, version, $4 FROM model_versions WHERE model = $1 AND version = $3 \
               ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version, updated_ms = excluded.updated_ms";
    let values = [model.id.into(), alias.into(), i64::from(version).into(), change.at_ms.into()];
    if tx.execute(sql, &values)? == 0 {
        return Err(no_version(&model.name, version));
    }
    let subject = format!("model/{}@{alias}", model.name);
    model.audit(tx, change, ("alias.set", subject), json!({ "from": before, "to": version }))?;
    let payload = json!({ "name": "", "alias": alias, "version": version.to_string() });
    model.tell(tx, change, ("model_version_alias.created", "prompt_alias.created"), payload)?;
    Ok(true)
}

fn target(tx: &mut Tx<'_>, model: i64, alias: &str) -> Result<Option<u32>> {
    let sql = "SELECT version FROM model_aliases WHERE model = $1 AND alias = $2";
    tx.row(sql, &[model.into(), alias.into()], |row| row.count(0))
}
