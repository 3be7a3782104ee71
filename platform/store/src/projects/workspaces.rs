//! Projects as MLflow's clients see them: workspaces.

use serde_json::json;
use tiegel_types::Name;

use crate::audit::append;
use crate::db::{Row, Tx};
use crate::{NewAudit, Result, Store, StoreError};

/// The project of clients that name none. Every database has it.
pub(crate) const DEFAULT_PROJECT: &str = "default";

#[derive(Clone, Debug, PartialEq)]
pub struct WorkspaceRow {
    pub name: Name,
    pub description: Option<String>,
    /// Where its experiments keep artifacts, if not below the server's root.
    pub artifact_root: Option<String>,
}

/// What is none stays as it is; an empty root takes the root away.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkspaceChange {
    pub description: Option<String>,
    pub artifact_root: Option<String>,
}

/// What becomes of what is in a workspace that goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// While there is any, the workspace stays.
    Keep,
    Delete,
    /// They go to the project `default`.
    Move,
}

/// What MLflow's clients make, by project, in the order in which it is counted.
const TRACKED: [&str; 4] = ["registered_models", "experiments", "evaluation_datasets", "webhooks"];
/// What only documents and jobs make. It does not go away, nor to another project, on a client's word.
const NATIVE: [&str; 7] =
    ["resources", "dataset_versions", "plugins", "jobs", "cache", "checkpoints", "endpoints_status"];
/// What names its project, beside those of [`TRACKED`].
const FOLLOWING: [&str; 2] = ["runs", "model_versions"];
/// What belongs to runs by `run`, to experiments by `experiment_id`: rows that nothing else deletes with them.
const OF_RUNS: [&str; 3] = ["metric_points", "metric_segments", "run_models"];
const OF_EXPERIMENTS: [&str; 10] = [
    "run_params",
    "run_tags",
    "latest_metrics",
    "run_datasets",
    "datasets",
    "model_metrics",
    "logged_models",
    "traces",
    "scorers",
    "experiment_tags",
];

impl Store {
    /// By name.
    #[tracing::instrument(name = "db.workspaces.list", skip_all)]
    pub async fn workspaces(&self) -> Result<Vec<WorkspaceRow>> {
        let sql = "SELECT name, description, artifact_root FROM projects ORDER BY name";
        self.query(move |tx| tx.rows(sql, &[], read)).await
    }

    #[tracing::instrument(name = "db.workspaces.get", skip_all)]
    pub async fn workspace(&self, name: &Name) -> Result<Option<WorkspaceRow>> {
        let name = name.clone();
        self.query(move |tx| by_name(tx, &name)).await
    }

    #[tracing::instrument(name = "db.workspaces.create", skip_all, fields(workspace = %new.name))]
    pub async fn create_workspace(&self, new: WorkspaceRow, actor: &str, now_ms: i64) -> Result<()> {
        let actor = actor.to_owned();
        self.transact(move |tx| {
            let sql = "INSERT INTO projects (name, serial, created_ms, description, artifact_root) \
                       VALUES ($1, 0, $2, $3, $4) ON CONFLICT (name) DO NOTHING";
            let values =
                [new.name.as_str().into(), now_ms.into(), (&new.description).into(), (&new.artifact_root).into()];
            if tx.execute(sql, &values)? == 0 {
                return Err(StoreError::Exists(format!("Workspace '{}' already exists.", new.name)));
            }
            audit(tx, (&actor, now_ms), ("workspace.create", &new.name), json!({ "artifact_root": new.artifact_root }))
        })
        .await
    }

    #[tracing::instrument(name = "db.workspaces.update", skip_all, fields(workspace = %name))]
    pub async fn update_workspace(&self, name: &Name, change: WorkspaceChange) -> Result<WorkspaceRow> {
        let name = name.clone();
        self.transact(move |tx| {
            let sql = "UPDATE projects SET description = COALESCE($2, description), \
                       artifact_root = NULLIF(COALESCE($3, artifact_root), '') WHERE name = $1";
            tx.execute(sql, &[name.as_str().into(), (&change.description).into(), (&change.artifact_root).into()])?;
            by_name(tx, &name)?.ok_or_else(|| no_workspace(&name))
        })
        .await
    }

    /// Deletes a project that only MLflow's clients have filled.
    #[tracing::instrument(name = "db.workspaces.delete", skip_all, fields(workspace = %name, ?contents))]
    pub async fn delete_workspace(&self, name: &Name, contents: Contents, actor: &str, now_ms: i64) -> Result<()> {
        let (name, actor) = (name.clone(), actor.to_owned());
        self.transact(move |tx| {
            // Held, so that nothing is put into it meanwhile.
            let held = tx.execute("UPDATE projects SET serial = serial WHERE name = $1", &[name.as_str().into()])?;
            if held == 0 {
                return Err(no_workspace(&name));
            }
            refuse_filled(tx, &name, &NATIVE, "`tiegel apply` and jobs made them; they stay with their project")?;
            match contents {
                Contents::Keep => {
                    let what_to_do = "Remove or reassign them before deleting the workspace";
                    refuse_filled(tx, &name, &TRACKED, what_to_do)?;
                }
                Contents::Delete => empty(tx, &name)?,
                Contents::Move => hand_over(tx, &name)?,
            }
            tx.execute("DELETE FROM projects WHERE name = $1", &[name.as_str().into()])?;
            let detail = json!({ "contents": format!("{contents:?}").to_lowercase() });
            audit(tx, (&actor, now_ms), ("workspace.delete", &name), detail)
        })
        .await
    }

    /// The project that an experiment is in, deleted or not.
    #[tracing::instrument(name = "db.experiments.project", level = "debug", skip_all)]
    pub async fn project_of_experiment(&self, id: i64) -> Result<Option<Name>> {
        let sql = "SELECT project FROM experiments WHERE id = $1";
        self.query(move |tx| tx.row(sql, &[id.into()], |row| row.parsed(0))).await
    }
}

fn by_name(tx: &mut Tx<'_>, name: &Name) -> Result<Option<WorkspaceRow>> {
    let sql = "SELECT name, description, artifact_root FROM projects WHERE name = $1";
    tx.row(sql, &[name.as_str().into()], read)
}

fn refuse_filled(tx: &mut Tx<'_>, name: &Name, tables: &[&str], what_to_do: &str) -> Result<()> {
    for table in tables {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE project = $1");
        let rows = tx.row(&sql, &[name.as_str().into()], |row| row.int(0))?.unwrap_or(0);
        if rows > 0 {
            return Err(StoreError::Conflict(format!(
                "Cannot delete workspace '{name}': table '{table}' still contains {rows} resource(s). {what_to_do}."
            )));
        }
    }
    Ok(())
}

/// Deletes all that clients made. Files of its own tree go with it; blobs that nothing names any more are collected.
fn empty(tx: &mut Tx<'_>, name: &Name) -> Result<()> {
    let project = name.as_str();
    for table in OF_RUNS {
        let sql = format!("DELETE FROM {table} WHERE run IN (SELECT id FROM runs WHERE project = $1)");
        tx.execute(&sql, &[project.into()])?;
    }
    for table in OF_EXPERIMENTS {
        let sql = format!("DELETE FROM {table} WHERE experiment_id IN (SELECT id FROM experiments WHERE project = $1)");
        tx.execute(&sql, &[project.into()])?;
    }
    for table in ["runs"].iter().chain(&TRACKED) {
        tx.execute(&format!("DELETE FROM {table} WHERE project = $1"), &[project.into()])?;
    }
    // '0' is the letter after '/'.
    let (first, end) = (format!("workspaces/{project}/"), format!("workspaces/{project}0"));
    tx.execute("DELETE FROM artifacts WHERE path > $1 AND path < $2", &[(&first).into(), (&end).into()])?;
    Ok(())
}

fn hand_over(tx: &mut Tx<'_>, name: &Name) -> Result<()> {
    let mut clashes = Vec::new();
    for table in ["registered_models", "experiments"] {
        let sql = format!(
            "SELECT name FROM {table} WHERE project = $1 AND name IN (SELECT name FROM {table} WHERE project = $2) \
             ORDER BY name"
        );
        let names = tx.rows(&sql, &[name.as_str().into(), DEFAULT_PROJECT.into()], |row| row.text(0))?;
        clashes.extend(names.into_iter().map(|clash| format!("\n  - {table}: '{clash}'")));
    }
    if !clashes.is_empty() {
        return Err(StoreError::Conflict(format!(
            "Cannot reassign resources from workspace '{name}' to '{DEFAULT_PROJECT}': the following names already exist in the \
             default workspace and would cause conflicts:{}\nRename or remove the conflicting resources before retrying.",
            clashes.concat()
        )));
    }
    for table in TRACKED.iter().chain(&FOLLOWING) {
        let sql = format!("UPDATE {table} SET project = $2 WHERE project = $1");
        tx.execute(&sql, &[name.as_str().into(), DEFAULT_PROJECT.into()])?;
    }
    Ok(())
}

fn audit(
    tx: &mut Tx<'_>,
    (actor, at_ms): (&str, i64),
    (action, name): (&str, &Name),
    detail: serde_json::Value,
) -> Result<()> {
    let (actor, action, subject) = (actor.to_owned(), action.to_owned(), format!("project/{name}"));
    append(tx, &NewAudit { at_ms, actor, action, project: Some(name.clone()), subject, detail })
}

fn read(row: Row<'_>) -> Result<WorkspaceRow> {
    Ok(WorkspaceRow { name: row.parsed(0)?, description: row.text_opt(1)?, artifact_root: row.text_opt(2)? })
}

fn no_workspace(name: &Name) -> StoreError {
    StoreError::NotFound(format!("Workspace '{name}' not found"))
}

#[cfg(test)]
mod tests;
