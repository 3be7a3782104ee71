//! Registered models. Every change of an alias locks the model's row first, so that each is seen, in one order.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, FromRow};
use tiegel_types::{Digest, JobId, Metrics, Name, RunId};

use crate::audit::insert_audit;
use crate::columns::{Columns, json_text};
use crate::error::Referring;
use crate::{NewAudit, Result, Store, StoreError};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRow {
    /// Unique in the server.
    pub name: Name,
    pub project: Name,
    pub description: String,
    pub created_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelVersionRow {
    pub model: Name,
    /// From 1.
    pub version: u32,
    /// The bundle's digest; no two versions of a model share it.
    pub bundle: Digest,
    pub run_id: Option<RunId>,
    /// The job of that run.
    pub job_id: Option<JobId>,
    pub metrics: Metrics,
    pub created_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasRow {
    pub model: Name,
    pub alias: Name,
    pub version: u32,
    pub updated_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewModelVersion {
    pub project: Name,
    pub model: Name,
    pub bundle: Digest,
    pub run_id: Option<RunId>,
    pub metrics: Metrics,
    /// An alias to move to the version.
    pub alias: Option<Name>,
    /// Who did it, for the audit.
    pub actor: String,
}

macro_rules! select_version {
    ($rest:literal) => {
        concat!("SELECT model, version, bundle, run_id, job_id, metrics, created_ms FROM model_versions ", $rest)
    };
}

impl Store {
    /// Makes the next version of a model, or finds the one that has this bundle, and moves the alias to it. Makes the
    /// model where it is missing. All or nothing, with audit rows for what changed.
    #[tracing::instrument(name = "db.models.register", skip_all, fields(model = %new.model))]
    pub async fn register_version(&self, new: NewModelVersion, now_ms: i64) -> Result<ModelVersionRow> {
        let mut tx = self.begin().await?;
        claim_model(&mut tx, &new, now_ms).await?;
        let select = select_version!("WHERE model = $1 AND bundle = $2");
        let row: Option<ModelVersionRow> = sqlx::query_as(select)
            .bind(new.model.as_str())
            .bind(new.bundle.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let row = match row {
            Some(row) => row,
            None => insert_version(&mut tx, &new, now_ms).await?,
        };
        if let Some(alias) = &new.alias {
            let change = AliasMove { project: &new.project, model: &new.model, alias, version: row.version };
            change.make(&mut tx, &new.actor, now_ms).await?;
        }
        tx.commit().await?;
        Ok(row)
    }

    /// Points an alias at a version, with an audit row if it pointed elsewhere.
    #[expect(clippy::too_many_arguments, reason = "who, what and when are plain arguments of every write")]
    #[tracing::instrument(name = "db.models.set_alias", skip_all, fields(%model, %alias, version))]
    pub async fn set_alias(&self, model: &Name, alias: &Name, version: u32, actor: &str, now_ms: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = "UPDATE registered_models SET description = description WHERE name = $1 RETURNING project";
        let row = sqlx::query(sql).bind(model.as_str()).fetch_optional(&mut *tx).await?;
        let project: Name = row.ok_or_else(|| no_model(model))?.parsed("project")?;
        let change = AliasMove { project: &project, model, alias, version };
        change.make(&mut tx, actor, now_ms).await?;
        Ok(tx.commit().await?)
    }

    /// The version that an alias points at.
    #[tracing::instrument(name = "db.models.alias", skip_all)]
    pub async fn alias(&self, model: &Name, alias: &Name) -> Result<Option<u32>> {
        let row = sqlx::query("SELECT version FROM model_aliases WHERE model = $1 AND alias = $2")
            .bind(model.as_str())
            .bind(alias.as_str())
            .fetch_optional(self.read())
            .await?;
        Ok(row.map(|row| row.count("version")).transpose()?)
    }

    /// By name.
    #[tracing::instrument(name = "db.models.aliases", skip_all)]
    pub async fn aliases(&self, model: &Name) -> Result<Vec<AliasRow>> {
        let sql = "SELECT model, alias, version, updated_ms FROM model_aliases WHERE model = $1 ORDER BY alias";
        Ok(sqlx::query_as(sql).bind(model.as_str()).fetch_all(self.read()).await?)
    }

    #[tracing::instrument(name = "db.models.get", skip_all)]
    pub async fn model(&self, name: &Name) -> Result<Option<ModelRow>> {
        let sql = "SELECT name, project, description, created_ms FROM registered_models WHERE name = $1";
        Ok(sqlx::query_as(sql).bind(name.as_str()).fetch_optional(self.read()).await?)
    }

    /// By name.
    #[tracing::instrument(name = "db.models.list", skip_all)]
    pub async fn models(&self, project: &Name) -> Result<Vec<ModelRow>> {
        let sql =
            "SELECT name, project, description, created_ms FROM registered_models WHERE project = $1 ORDER BY name";
        Ok(sqlx::query_as(sql).bind(project.as_str()).fetch_all(self.read()).await?)
    }

    #[tracing::instrument(name = "db.models.version", skip_all)]
    pub async fn model_version(&self, model: &Name, version: u32) -> Result<Option<ModelVersionRow>> {
        let sql = select_version!("WHERE model = $1 AND version = $2");
        let query = sqlx::query_as(sql).bind(model.as_str()).bind(i64::from(version));
        Ok(query.fetch_optional(self.read()).await?)
    }

    /// Newest first.
    #[tracing::instrument(name = "db.models.versions", skip_all)]
    pub async fn model_versions(&self, model: &Name) -> Result<Vec<ModelVersionRow>> {
        let sql = select_version!("WHERE model = $1 ORDER BY version DESC");
        Ok(sqlx::query_as(sql).bind(model.as_str()).fetch_all(self.read()).await?)
    }
}

/// Makes the model where it is missing, and holds it until the transaction ends.
async fn claim_model(tx: &mut AnyConnection, new: &NewModelVersion, now_ms: i64) -> Result<()> {
    let row = sqlx::query(
        "INSERT INTO registered_models (name, project, description, created_ms) VALUES ($1, $2, '', $3) \
         ON CONFLICT (name) DO UPDATE SET description = registered_models.description RETURNING project",
    )
    .bind(new.model.as_str())
    .bind(new.project.as_str())
    .bind(now_ms)
    .fetch_one(&mut *tx)
    .await
    .referring_to(|| format!("project '{}'", new.project))?;
    let owner: Name = row.parsed("project")?;
    if owner != new.project {
        return Err(StoreError::Conflict(format!(
            "model '{}' belongs to project '{owner}'; model names are unique in a server, choose another",
            new.model
        )));
    }
    Ok(())
}

async fn insert_version(tx: &mut AnyConnection, new: &NewModelVersion, now_ms: i64) -> Result<ModelVersionRow> {
    let row: ModelVersionRow = sqlx::query_as(
        "INSERT INTO model_versions (model, version, bundle, run_id, job_id, metrics, created_ms) \
         SELECT $1, COALESCE(MAX(version), 0) + 1, $2, $3, (SELECT job_id FROM runs WHERE run_id = $3), $4, $5 \
         FROM model_versions WHERE model = $1 RETURNING model, version, bundle, run_id, job_id, metrics, created_ms",
    )
    .bind(new.model.as_str())
    .bind(new.bundle.to_string())
    .bind(new.run_id.as_ref().map(RunId::to_string))
    .bind(json_text(&format!("metrics of model '{}'", new.model), &new.metrics)?)
    .bind(now_ms)
    .fetch_one(&mut *tx)
    .await?;
    let audit = NewAudit {
        at_ms: now_ms,
        actor: new.actor.clone(),
        action: "version.register".to_owned(),
        project: Some(new.project.clone()),
        subject: format!("model/{}", new.model),
        detail: json!({ "version": row.version, "bundle": row.bundle, "run": row.run_id }),
    };
    insert_audit(tx, &audit).await?;
    Ok(row)
}

struct AliasMove<'a> {
    project: &'a Name,
    model: &'a Name,
    alias: &'a Name,
    version: u32,
}

impl AliasMove<'_> {
    async fn make(&self, tx: &mut AnyConnection, actor: &str, now_ms: i64) -> Result<()> {
        let before: Option<u32> = sqlx::query("SELECT version FROM model_aliases WHERE model = $1 AND alias = $2")
            .bind(self.model.as_str())
            .bind(self.alias.as_str())
            .fetch_optional(&mut *tx)
            .await?
            .map(|row| row.count("version"))
            .transpose()?;
        if before == Some(self.version) {
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO model_aliases (model, alias, version, updated_ms) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version, updated_ms = excluded.updated_ms",
        )
        .bind(self.model.as_str())
        .bind(self.alias.as_str())
        .bind(i64::from(self.version))
        .bind(now_ms)
        .execute(&mut *tx)
        .await
        .referring_to(|| format!("version {} of model '{}'", self.version, self.model))?;
        let audit = NewAudit {
            at_ms: now_ms,
            actor: actor.to_owned(),
            action: "alias.set".to_owned(),
            project: Some(self.project.clone()),
            subject: format!("model/{}@{}", self.model, self.alias),
            detail: json!({ "from": before, "to": self.version }),
        };
        insert_audit(tx, &audit).await
    }
}

fn no_model(name: &Name) -> StoreError {
    StoreError::not_found(format!("model '{name}'"))
}

impl FromRow<'_, AnyRow> for ModelRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            name: row.parsed("name")?,
            project: row.parsed("project")?,
            description: row.text("description")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

impl FromRow<'_, AnyRow> for ModelVersionRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            model: row.parsed("model")?,
            version: row.count("version")?,
            bundle: row.parsed("bundle")?,
            run_id: row.parsed_opt("run_id")?,
            job_id: row.parsed_opt("job_id")?,
            metrics: row.json("metrics")?,
            created_ms: row.int("created_ms")?,
        })
    }
}

impl FromRow<'_, AnyRow> for AliasRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            model: row.parsed("model")?,
            alias: row.parsed("alias")?,
            version: row.count("version")?,
            updated_ms: row.int("updated_ms")?,
        })
    }
}

#[cfg(test)]
mod tests;
