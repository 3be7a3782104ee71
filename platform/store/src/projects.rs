mod workspaces;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, FromRow, Row as _};
use tiegel_types::{Digest, Kind, Name, ResourceRef};

use crate::audit::insert_audit;
use crate::columns::{Columns, unreadable, value_text};
use crate::error::Referring;
use crate::{NewAudit, Result, Store, StoreError};

pub(crate) use workspaces::DEFAULT_PROJECT;
pub use workspaces::{Contents, WorkspaceChange, WorkspaceRow};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectRow {
    pub name: Name,
    /// Counts the applies that changed something.
    pub serial: i64,
    pub created_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceRow {
    pub project: Name,
    pub kind: Kind,
    pub name: Name,
    pub spec: serde_json::Value,
    pub digest: Digest,
    /// The project's serial after the apply that wrote this row.
    pub serial: i64,
    pub created_ms: i64,
    pub updated_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResourceChange {
    pub kind: Kind,
    pub name: Name,
    /// What it becomes, with its digest; none deletes it.
    pub spec: Option<(serde_json::Value, Digest)>,
}

impl Store {
    #[tracing::instrument(name = "db.projects.ensure", skip_all)]
    pub async fn ensure_project(&self, name: &Name, now_ms: i64) -> Result<()> {
        sqlx::query("INSERT INTO projects (name, serial, created_ms) VALUES ($1, 0, $2) ON CONFLICT (name) DO NOTHING")
            .bind(name.as_str())
            .bind(now_ms)
            .execute(&mut *self.write().await?)
            .await?;
        Ok(())
    }

    #[tracing::instrument(name = "db.projects.has", skip_all)]
    pub async fn has_project(&self, name: &Name) -> Result<bool> {
        let name = name.clone();
        let sql = "SELECT 1 FROM projects WHERE name = $1";
        Ok(self.query(move |tx| tx.row(sql, &[name.as_str().into()], |_| Ok(()))).await?.is_some())
    }

    /// By name.
    #[tracing::instrument(name = "db.projects.list", skip_all)]
    pub async fn projects(&self) -> Result<Vec<ProjectRow>> {
        let sql = "SELECT name, serial, created_ms FROM projects ORDER BY name";
        Ok(sqlx::query_as(sql).fetch_all(self.read()).await?)
    }

    /// 0 before the first apply.
    #[tracing::instrument(name = "db.projects.serial", skip_all)]
    pub async fn project_serial(&self, name: &Name) -> Result<i64> {
        let row = sqlx::query("SELECT serial FROM projects WHERE name = $1")
            .bind(name.as_str())
            .fetch_optional(self.read())
            .await?;
        Ok(row.map(|row| row.int("serial")).transpose()?.unwrap_or(0))
    }

    /// By kind and name.
    #[tracing::instrument(name = "db.resources.list", skip_all)]
    pub async fn resources(&self, project: &Name) -> Result<Vec<ResourceRow>> {
        let sql = "SELECT project, kind, name, spec, digest, serial, created_ms, updated_ms FROM resources \
                   WHERE project = $1 ORDER BY kind, name";
        Ok(sqlx::query_as(sql).bind(project.as_str()).fetch_all(self.read()).await?)
    }

    #[tracing::instrument(name = "db.resources.get", skip_all)]
    pub async fn resource(&self, project: &Name, kind: Kind, name: &Name) -> Result<Option<ResourceRow>> {
        let sql = "SELECT project, kind, name, spec, digest, serial, created_ms, updated_ms FROM resources \
                   WHERE project = $1 AND kind = $2 AND name = $3";
        let query = sqlx::query_as(sql).bind(project.as_str()).bind(kind.as_str()).bind(name.as_str());
        Ok(query.fetch_optional(self.read()).await?)
    }

    /// Writes all changes or none, each with an audit row, and answers the project's new serial. With an
    /// `expected_serial` that is not the project's, somebody else applied in between: a conflict.
    #[expect(clippy::too_many_arguments, reason = "who, what and when are plain arguments of every write")]
    #[tracing::instrument(name = "db.resources.apply", skip_all, fields(changes = changes.len()))]
    pub async fn apply_resources(
        &self,
        project: &Name,
        changes: &[ResourceChange],
        expected_serial: Option<i64>,
        actor: &str,
        now_ms: i64,
    ) -> Result<i64> {
        let mut tx = self.begin().await?;
        let before = lock_project(&mut tx, project).await?;
        if let Some(expected) = expected_serial.filter(|expected| *expected != before) {
            return Err(StoreError::Conflict(format!(
                "project '{project}' is at serial {before}, not {expected}: it was changed since the plan; plan again"
            )));
        }
        if changes.is_empty() {
            return Ok(before);
        }
        let apply = Apply { project, serial: before + 1, actor, now_ms };
        for change in changes {
            apply.change(&mut tx, change).await?;
        }
        sqlx::query("UPDATE projects SET serial = $2 WHERE name = $1")
            .bind(project.as_str())
            .bind(apply.serial)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(apply.serial)
    }
}

struct Apply<'a> {
    project: &'a Name,
    serial: i64,
    actor: &'a str,
    now_ms: i64,
}

impl Apply<'_> {
    async fn change(&self, tx: &mut AnyConnection, change: &ResourceChange) -> Result<()> {
        let ResourceChange { kind, name, spec } = change;
        let subject = ResourceRef::new(*kind, name.clone()).to_string();
        let before: Option<String> =
            sqlx::query("SELECT digest FROM resources WHERE project = $1 AND kind = $2 AND name = $3")
                .bind(self.project.as_str())
                .bind(kind.as_str())
                .bind(name.as_str())
                .fetch_optional(&mut *tx)
                .await?
                .map(|row| row.text("digest"))
                .transpose()?;
        let (action, after) = match spec {
            Some((spec, digest)) => {
                self.upsert(tx, (*kind, name), spec, digest).await?;
                (if before.is_some() { "resource.update" } else { "resource.create" }, Some(digest))
            }
            None if before.is_none() => {
                return Err(StoreError::not_found(format!("{subject} in project '{}'", self.project)));
            }
            None => {
                self.delete(tx, *kind, name).await?;
                ("resource.delete", None)
            }
        };
        let detail = serde_json::json!({ "serial": self.serial, "from": before, "to": after });
        let audit = NewAudit {
            at_ms: self.now_ms,
            actor: self.actor.to_owned(),
            action: action.to_owned(),
            project: Some(self.project.clone()),
            subject,
            detail,
        };
        insert_audit(tx, &audit).await
    }

    async fn upsert(
        &self,
        tx: &mut AnyConnection,
        (kind, name): (Kind, &Name),
        spec: &serde_json::Value,
        digest: &Digest,
    ) -> Result<()> {
        let written = sqlx::query(
            "INSERT INTO resources (project, kind, name, spec, digest, serial, created_ms, updated_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (project, kind, name) DO UPDATE SET \
             spec = excluded.spec, digest = excluded.digest, serial = excluded.serial, updated_ms = excluded.updated_ms",
        )
        .bind(self.project.as_str())
        .bind(kind.as_str())
        .bind(name.as_str())
        .bind(value_text(spec))
        .bind(digest.to_string())
        .bind(self.serial)
        .bind(self.now_ms)
        .execute(&mut *tx)
        .await;
        match written {
            Err(error) if error.as_database_error().is_some_and(|db| db.is_unique_violation()) => {
                Err(StoreError::Conflict(format!(
                    "{kind} '{name}' belongs to another project; the name of an endpoint is unique in a server"
                )))
            }
            other => other.map(|_| ()).referring_to(|| format!("project '{}'", self.project)),
        }
    }

    async fn delete(&self, tx: &mut AnyConnection, kind: Kind, name: &Name) -> Result<()> {
        sqlx::query("DELETE FROM resources WHERE project = $1 AND kind = $2 AND name = $3")
            .bind(self.project.as_str())
            .bind(kind.as_str())
            .bind(name.as_str())
            .execute(&mut *tx)
            .await?;
        Ok(())
    }
}

/// Holds the project until the transaction ends, so that what is numbered within it is numbered once; answers its
/// serial. An update locks on both databases; `FOR UPDATE` is Postgres alone.
pub(crate) async fn lock_project(tx: &mut AnyConnection, project: &Name) -> Result<i64> {
    let row = sqlx::query("UPDATE projects SET serial = serial WHERE name = $1 RETURNING serial")
        .bind(project.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    Ok(row.ok_or_else(|| no_project(project))?.int("serial")?)
}

pub(crate) fn no_project(name: &Name) -> StoreError {
    StoreError::not_found(format!("project '{name}'"))
}

impl FromRow<'_, AnyRow> for ProjectRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self { name: row.parsed("name")?, serial: row.int("serial")?, created_ms: row.int("created_ms")? })
    }
}

impl FromRow<'_, AnyRow> for ResourceRow {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let kind: &str = row.try_get("kind")?;
        Ok(Self {
            project: row.parsed("project")?,
            kind: Kind::ALL.into_iter().find(|k| k.as_str() == kind).ok_or_else(|| unreadable("kind", kind))?,
            name: row.parsed("name")?,
            spec: row.json("spec")?,
            digest: row.parsed("digest")?,
            serial: row.int("serial")?,
            created_ms: row.int("created_ms")?,
            updated_ms: row.int("updated_ms")?,
        })
    }
}

#[cfg(test)]
mod tests;
