use serde_json::json;
use tiegel_types::Name;

use super::events::Claimed;
use super::tags::MODEL_TAGS;
use super::{AliasRow, Change, Made, ModelRow, Tags, is_prompt, loading, no_model, put_pairs};
use crate::db::Tx;
use crate::{Result, Store};

#[derive(Clone, Debug, PartialEq)]
pub struct NewModel {
    /// Made where it is missing.
    pub project: Name,
    pub name: String,
    pub description: String,
    /// Of a key that is there twice, the last counts.
    pub tags: Tags,
}

impl Store {
    #[tracing::instrument(name = "db.models.create", skip_all, fields(model = %new.name))]
    pub async fn create_model(&self, new: NewModel, change: Change) -> Result<Made<ModelRow>> {
        self.transact(move |tx| create(tx, &new, &change)).await
    }

    #[tracing::instrument(name = "db.models.get", skip_all)]
    pub async fn model(&self, project: &Name, name: &str) -> Result<Option<ModelRow>> {
        let (project, name) = (project.clone(), name.to_owned());
        self.query(move |tx| by_name(tx, &project, &name)).await
    }

    /// The projects that have a model of this name, by name.
    #[tracing::instrument(name = "db.models.projects", skip_all)]
    pub async fn projects_of_model(&self, name: &str) -> Result<Vec<Name>> {
        let name = name.to_owned();
        let sql = "SELECT project FROM registered_models WHERE name = $1 ORDER BY project";
        self.query(move |tx| tx.rows(sql, &[(&name).into()], |row| row.parsed(0))).await
    }

    /// By name.
    #[tracing::instrument(name = "db.models.list", skip_all)]
    pub async fn models(&self, project: &Name) -> Result<Vec<ModelRow>> {
        let project = project.clone();
        self.query(move |tx| loading::models(tx, "WHERE project = $1 ORDER BY name", &[project.as_str().into()])).await
    }

    #[tracing::instrument(name = "db.models.describe", skip_all)]
    pub async fn describe_model(&self, name: &str, description: String, change: Change) -> Result<ModelRow> {
        let name = name.to_owned();
        self.transact(move |tx| {
            let model = Claimed::touch(tx, &name, &change)?;
            let sql = "UPDATE registered_models SET description = $2 WHERE id = $1";
            tx.execute(sql, &[model.id.into(), (&description).into()])?;
            existing(tx, &change.project, &name)
        })
        .await
    }

    /// Gives a model another name; versions, aliases and tags stay. What refers to it by the old name does not follow.
    #[tracing::instrument(name = "db.models.rename", skip_all)]
    pub async fn rename_model(&self, name: &str, new_name: String, change: Change) -> Result<Made<ModelRow>> {
        let name = name.to_owned();
        self.transact(move |tx| rename(tx, &name, &new_name, &change)).await
    }

    /// Deletes a model with its versions, aliases and tags.
    #[tracing::instrument(name = "db.models.delete", skip_all)]
    pub async fn delete_model(&self, name: &str, change: Change) -> Result<()> {
        let name = name.to_owned();
        self.transact(move |tx| {
            let model = Claimed::hold(tx, &name, &change)?;
            tx.execute("DELETE FROM registered_models WHERE id = $1", &[model.id.into()])?;
            model.audit(tx, &change, ("model.delete", format!("model/{name}")), json!({}))
        })
        .await
    }

    /// By alias.
    #[tracing::instrument(name = "db.models.aliases", skip_all)]
    pub async fn aliases(&self, project: &Name, model: &str) -> Result<Vec<AliasRow>> {
        let (project, model) = (project.clone(), model.to_owned());
        self.query(move |tx| {
            let sql = "SELECT a.alias, a.version, a.updated_ms FROM model_aliases a \
                       JOIN registered_models m ON m.id = a.model WHERE m.project = $1 AND m.name = $2 ORDER BY a.alias";
            tx.rows(sql, &[project.as_str().into(), (&model).into()], |row| loading::alias_of(&row, 0))
        })
        .await
    }
}

fn by_name(tx: &mut Tx<'_>, project: &Name, name: &str) -> Result<Option<ModelRow>> {
    Ok(loading::models(tx, "WHERE project = $1 AND name = $2", &[project.as_str().into(), name.into()])?.pop())
}

fn existing(tx: &mut Tx<'_>, project: &Name, name: &str) -> Result<ModelRow> {
    by_name(tx, project, name)?.ok_or_else(|| no_model(name))
}

fn create(tx: &mut Tx<'_>, new: &NewModel, change: &Change) -> Result<Made<ModelRow>> {
    let Some(id) = insert(tx, new, change.at_ms)? else {
        return taken(tx, &new.project, &new.name);
    };
    put_pairs(tx, MODEL_TAGS.of(id.into()), &new.tags)?;
    let is_prompt = is_prompt(&new.tags);
    let model = Claimed { id, project: new.project.clone(), name: new.name.clone(), is_prompt };
    model.tell_of_model(tx, change, &new.tags, &new.description)?;
    existing(tx, &new.project, &new.name).map(Made::Made)
}

/// The id of a new model; none where the name is taken.
pub(super) fn insert(tx: &mut Tx<'_>, new: &NewModel, now_ms: i64) -> Result<Option<i64>> {
    let sql = "INSERT INTO projects (name, serial, created_ms) VALUES ($1, 0, $2) ON CONFLICT (name) DO NOTHING";
    tx.execute(sql, &[new.project.as_str().into(), now_ms.into()])?;
    tx.row(
        "INSERT INTO registered_models (project, name, description, last_version, created_ms, updated_ms) \
         VALUES ($1, $2, $3, 0, $4, $4) ON CONFLICT (project, name) DO NOTHING RETURNING id",
        &[new.project.as_str().into(), (&new.name).into(), (&new.description).into(), now_ms.into()],
        |row| row.int(0),
    )
}

fn taken(tx: &mut Tx<'_>, project: &Name, name: &str) -> Result<Made<ModelRow>> {
    Ok(Made::Taken { by_prompt: by_name(tx, project, name)?.is_some_and(|model| model.is_prompt()) })
}

fn rename(tx: &mut Tx<'_>, name: &str, new_name: &str, change: &Change) -> Result<Made<ModelRow>> {
    let model = Claimed::touch(tx, name, change)?;
    if name != new_name {
        if by_name(tx, &model.project, new_name)?.is_some() {
            return taken(tx, &model.project, new_name);
        }
        let sql = "UPDATE registered_models SET name = $2 WHERE id = $1";
        tx.execute(sql, &[model.id.into(), new_name.into()])?;
        let subject = format!("model/{name}");
        model.audit(tx, change, ("model.rename", subject), json!({ "from": name, "to": new_name }))?;
    }
    let sql = "UPDATE model_versions SET name = $2, updated_ms = $3 WHERE model = $1";
    tx.execute(sql, &[model.id.into(), new_name.into(), change.at_ms.into()])?;
    existing(tx, &model.project, new_name).map(Made::Made)
}
