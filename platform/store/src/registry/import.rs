//! Writing models of another server, with their numbers and times.

use serde_json::json;
use tiegel_types::Name;
use tiegel_types::transfer::{LoggedModel, RegisteredModel, Version};

use super::logged::{LoggedModelStatus, PARAMS, TAGS};
use super::tags::{MODEL_TAGS, VERSION_TAGS};
use super::{Change, Stage, no_model, put_pairs};
use crate::audit::append;
use crate::db::{Tx, Value};
use crate::{NewAudit, Result, StoreError};

pub(crate) fn import_logged_model(tx: &mut Tx<'_>, project: &Name, model: &LoggedModel) -> Result<()> {
    let status: LoggedModelStatus = model.status.parse().map_err(StoreError::Invalid)?;
    let sql = "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, model_type, source_run_id, \
                   status, status_message, lifecycle, created_ms, updated_ms) \
               SELECT $1, e.id, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM experiments e \
               WHERE e.id = $2 AND e.project = $3 \
               ON CONFLICT (model_id) DO UPDATE SET name = excluded.name, \
                   artifact_location = excluded.artifact_location, model_type = excluded.model_type, \
                   source_run_id = excluded.source_run_id, status = excluded.status, \
                   status_message = excluded.status_message, lifecycle = excluded.lifecycle, \
                   created_ms = excluded.created_ms, updated_ms = excluded.updated_ms \
               WHERE logged_models.experiment_id = excluded.experiment_id";
    let values = [
        (&model.model_id).into(),
        model.experiment_id.into(),
        project.as_str().into(),
        (&model.name).into(),
        (&model.artifact_location).into(),
        (&model.model_type).into(),
        (&model.source_run_id).into(),
        status.as_str().into(),
        (&model.status_message).into(),
        (if model.deleted { "deleted" } else { "active" }).into(),
        model.created_ms.into(),
        model.updated_ms.into(),
    ];
    if tx.execute(sql, &values)? == 0 {
        return Err(StoreError::Conflict(format!(
            "logged model {} is in another experiment here, or project '{project}' has no experiment {}",
            model.model_id, model.experiment_id
        )));
    }
    put_pairs(tx, PARAMS.of(Value::from(&model.model_id)), &model.params)?;
    put_pairs(tx, TAGS.of(Value::from(&model.model_id)), &model.tags)
}

/// A model with all its versions. Webhooks are not told: nothing of it is new.
pub(crate) fn import_registered_model(
    tx: &mut Tx<'_>,
    project: &Name,
    model: &RegisteredModel,
    change: &Change,
) -> Result<()> {
    let id = put_model(tx, project, model)?;
    put_pairs(tx, MODEL_TAGS.of(id.into()), &model.tags)?;
    for version in &model.versions {
        let version_id = put_version(tx, (id, project, &model.name), version)?;
        put_pairs(tx, VERSION_TAGS.of(version_id.into()), &version.tags)?;
    }
    for (alias, version) in &model.aliases {
        let sql = "INSERT INTO model_aliases (model, alias, version, updated_ms) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version, \
                       updated_ms = excluded.updated_ms \
                   WHERE model_aliases.version <> excluded.version";
        tx.execute(sql, &[id.into(), alias.into(), i64::from(*version).into(), model.updated_ms.into()])?;
    }
    let audit = NewAudit {
        at_ms: change.at_ms,
        actor: change.actor.clone(),
        action: "model.import".to_owned(),
        project: Some(project.clone()),
        subject: format!("model/{}", model.name),
        detail: json!({ "versions": model.versions.len(), "aliases": model.aliases }),
    };
    append(tx, &audit)
}

fn put_model(tx: &mut Tx<'_>, project: &Name, model: &RegisteredModel) -> Result<i64> {
    let last = model.versions.iter().map(|version| version.version).fold(model.last_version, u32::max);
    let sql = "INSERT INTO registered_models (project, name, description, last_version, created_ms, updated_ms) \
               VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (project, name) DO UPDATE SET description = excluded.description, \
                   last_version = CASE WHEN excluded.last_version > registered_models.last_version \
                       THEN excluded.last_version ELSE registered_models.last_version END, \
                   created_ms = excluded.created_ms, updated_ms = excluded.updated_ms RETURNING id";
    let values = [
        project.as_str().into(),
        (&model.name).into(),
        (&model.description).into(),
        i64::from(last).into(),
        model.created_ms.into(),
        model.updated_ms.into(),
    ];
    tx.row(sql, &values, |row| row.int(0))?.ok_or_else(|| no_model(&model.name))
}

/// Answers its row. A version that a training of this server made is not touched.
fn put_version(tx: &mut Tx<'_>, (model, project, name): (i64, &Name, &str), version: &Version) -> Result<i64> {
    let stage: Stage = version.stage.parse().map_err(StoreError::Invalid)?;
    let sql = "INSERT INTO model_versions (model, project, name, version, description, user_id, stage, source, \
                   storage_location, run_id, run_link, logged_model_id, metrics, created_ms, updated_ms) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '{}', $13, $14) \
               ON CONFLICT (model, version) DO UPDATE SET description = excluded.description, \
                   user_id = excluded.user_id, stage = excluded.stage, source = excluded.source, \
                   storage_location = excluded.storage_location, run_id = excluded.run_id, \
                   run_link = excluded.run_link, logged_model_id = excluded.logged_model_id, \
                   created_ms = excluded.created_ms, updated_ms = excluded.updated_ms \
               WHERE model_versions.bundle IS NULL RETURNING id";
    let values = [
        model.into(),
        project.as_str().into(),
        name.into(),
        i64::from(version.version).into(),
        (&version.description).into(),
        (&version.user_id).into(),
        stage.as_str().into(),
        (&version.source).into(),
        (&version.storage_location).into(),
        (&version.run_id).into(),
        (&version.run_link).into(),
        (&version.logged_model_id).into(),
        version.created_ms.into(),
        version.updated_ms.into(),
    ];
    tx.row(sql, &values, |row| row.int(0))?.ok_or_else(|| {
        StoreError::Conflict(format!("version {} of model '{name}' is of this server's own making", version.version))
    })
}
