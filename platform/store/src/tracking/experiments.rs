use serde::{Deserialize, Serialize};
use tiegel_types::{Name, uri};

use super::Scope;
use super::keys::one_of;
use crate::db::{Column, Insert, Row, Tx, Value};
use crate::projects::DEFAULT_PROJECT;
use crate::{Result, Store, StoreError};

/// Where artifacts lie that only this server writes.
pub(crate) const OWN_ARTIFACTS: &str = "mlflow-artifacts:/";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExperimentRow {
    pub id: i64,
    pub project: Name,
    /// Free text, unique in its project.
    pub name: String,
    /// `active` or `deleted`.
    pub lifecycle: String,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub artifact_location: String,
}

#[derive(Clone, Debug)]
pub struct NewExperiment {
    pub project: Name,
    pub name: String,
    pub artifact_location: ArtifactLocation,
    pub tags: Vec<(String, String)>,
    pub created_ms: i64,
}

#[derive(Clone, Debug)]
pub enum ArtifactLocation {
    Given(String),
    /// The experiment's id below this root of the server, or below its project's own.
    Below(String),
    /// Where only this server writes.
    Ours,
}

macro_rules! experiment_columns {
    () => {
        "id, project, name, lifecycle, created_ms, updated_ms, artifact_location"
    };
}

/// An experiment and its tags by name.
type WithTags = (ExperimentRow, Vec<(String, String)>);

impl Store {
    /// Answers its id.
    #[tracing::instrument(name = "db.experiments.create", skip_all)]
    pub async fn create_experiment(&self, new: NewExperiment) -> Result<i64> {
        self.transact(move |tx| create(tx, &new)).await
    }

    #[tracing::instrument(name = "db.experiments.ensure", skip_all)]
    pub async fn ensure_experiment(&self, project: &Name, name: &str, now_ms: i64) -> Result<ExperimentRow> {
        let new = NewExperiment {
            project: project.clone(),
            name: name.to_owned(),
            artifact_location: ArtifactLocation::Ours,
            tags: Vec::new(),
            created_ms: now_ms,
        };
        let operation = move |tx: &mut Tx<'_>| {
            if let Some(found) = by_name(tx, &new.project, &new.name)? {
                return Ok(found);
            }
            let id = create(tx, &new)?;
            expect_experiment(tx, &Scope::All, id)
        };
        self.transact(operation).await
    }

    /// By name.
    #[tracing::instrument(name = "db.experiments.list", skip_all)]
    pub async fn experiments(&self, project: &Name) -> Result<Vec<ExperimentRow>> {
        let project = project.clone();
        let sql = concat!("SELECT ", experiment_columns!(), " FROM experiments WHERE project = $1 ORDER BY name");
        self.query(move |tx| tx.rows(sql, &[project.as_str().into()], read)).await
    }

    /// With its tags, by key.
    #[tracing::instrument(name = "db.experiments.get", skip_all)]
    pub async fn experiment(&self, scope: &Scope, id: i64) -> Result<(ExperimentRow, Vec<(String, String)>)> {
        let scope = scope.clone();
        let operation = move |tx: &mut Tx<'_>| {
            let row = expect_experiment(tx, &scope, id)?;
            Ok((row, experiment_tags(tx, id)?))
        };
        self.query(operation).await
    }

    #[tracing::instrument(name = "db.experiments.by_name", skip_all)]
    pub async fn experiment_named(&self, project: &Name, name: &str) -> Result<Option<WithTags>> {
        let (project, name) = (project.clone(), name.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let Some(row) = by_name(tx, &project, &name)? else { return Ok(None) };
            let tags = experiment_tags(tx, row.id)?;
            Ok(Some((row, tags)))
        };
        self.query(operation).await
    }

    /// Deletes an active experiment with its runs.
    #[tracing::instrument(name = "db.experiments.delete", skip_all)]
    pub async fn delete_experiment(&self, scope: &Scope, id: i64, now_ms: i64) -> Result<()> {
        let scope = scope.clone();
        self.transact(move |tx| turn(tx, (&scope, id), ("active", "deleted"), now_ms)).await
    }

    /// Restores a deleted experiment and every run of it.
    #[tracing::instrument(name = "db.experiments.restore", skip_all)]
    pub async fn restore_experiment(&self, scope: &Scope, id: i64, now_ms: i64) -> Result<()> {
        let scope = scope.clone();
        self.transact(move |tx| turn(tx, (&scope, id), ("deleted", "active"), now_ms)).await
    }

    #[tracing::instrument(name = "db.experiments.rename", skip_all)]
    pub async fn rename_experiment(&self, scope: &Scope, id: i64, name: &str, now_ms: i64) -> Result<()> {
        let (scope, name) = (scope.clone(), name.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let row = expect_experiment(tx, &scope, id)?;
            if row.lifecycle != "active" {
                return Err(StoreError::Conflict("Cannot rename a non-active experiment.".to_owned()));
            }
            if by_name(tx, &row.project, &name)?.is_some_and(|other| other.id != id) {
                return Err(taken(&name));
            }
            let sql = "UPDATE experiments SET name = $2, updated_ms = $3 WHERE id = $1";
            tx.execute(sql, &[id.into(), (&name).into(), now_ms.into()])?;
            Ok(())
        };
        self.transact(operation).await
    }

    /// `limit` bounds how many tags may begin with its prefix; what is there may be replaced beyond it.
    #[tracing::instrument(name = "db.experiments.set_tag", skip_all)]
    pub async fn set_experiment_tag(
        &self,
        scope: &Scope,
        id: i64,
        (key, value): (String, String),
        limit: Option<TagLimit>,
    ) -> Result<()> {
        let scope = scope.clone();
        let operation = move |tx: &mut Tx<'_>| {
            expect_active(&expect_experiment(tx, &scope, id)?)?;
            if let Some(limit) = limit {
                limit.check(tx, id, &key)?;
            }
            put_experiment_tags(tx, id, &[(key, value)])
        };
        self.transact(operation).await
    }

    #[tracing::instrument(name = "db.experiments.delete_tag", skip_all)]
    pub async fn delete_experiment_tag(&self, scope: &Scope, id: i64, key: &str) -> Result<()> {
        let (scope, key) = (scope.clone(), key.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            expect_active(&expect_experiment(tx, &scope, id)?)?;
            let sql = "DELETE FROM experiment_tags WHERE experiment_id = $1 AND name = $2";
            if tx.execute(sql, &[id.into(), (&key).into()])? == 0 {
                return Err(StoreError::NotFound(format!("No tag with name: {key} in experiment with id {id}")));
            }
            Ok(())
        };
        self.transact(operation).await
    }

    /// Gives a place below `root` to the experiment that every database has from its start.
    #[tracing::instrument(name = "db.experiments.settle", skip_all)]
    pub async fn settle_artifact_locations(&self, root: &str) -> Result<()> {
        let unsettled = |tx: &mut Tx<'_>| {
            tx.rows("SELECT id FROM experiments WHERE artifact_location IS NULL", &[], |row| row.int(0))
        };
        if self.query(unsettled).await?.is_empty() {
            return Ok(());
        }
        let root = root.to_owned();
        let operation = move |tx: &mut Tx<'_>| {
            for id in unsettled(tx)? {
                place(tx, id, &root)?;
            }
            Ok(())
        };
        self.transact(operation).await
    }
}

/// How many tags of an experiment may begin alike.
#[derive(Clone, Copy, Debug)]
pub struct TagLimit {
    pub prefix: &'static str,
    pub tags_max: usize,
    /// What to say beyond it.
    pub refusal: fn(id: i64) -> String,
}

impl TagLimit {
    fn check(&self, tx: &mut Tx<'_>, id: i64, key: &str) -> Result<()> {
        let tags = experiment_tags(tx, id)?;
        let alike = tags.iter().filter(|(name, _)| name.starts_with(self.prefix)).count();
        if alike >= self.tags_max && tags.iter().all(|(name, _)| name != key) {
            return Err(StoreError::Conflict((self.refusal)(id)));
        }
        Ok(())
    }
}

/// The experiment, if the scope sees it.
pub(crate) fn expect_experiment(tx: &mut Tx<'_>, scope: &Scope, id: i64) -> Result<ExperimentRow> {
    let sql = concat!("SELECT ", experiment_columns!(), " FROM experiments WHERE id = $1");
    let row = tx.row(sql, &[id.into()], read)?.filter(|row| scope.sees(row.project.as_str()));
    row.ok_or_else(|| StoreError::NotFound(format!("No Experiment with id={id} exists")))
}

/// The experiments of these ids that there are, in no order.
pub(crate) fn experiments_of_ids(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<ExperimentRow>> {
    let (places, values) = one_of(ids, 1);
    let sql = format!(concat!("SELECT ", experiment_columns!(), " FROM experiments WHERE id IN {}"), places);
    tx.rows(&sql, &values, read)
}

pub(crate) fn expect_active(row: &ExperimentRow) -> Result<()> {
    if row.lifecycle == "active" {
        return Ok(());
    }
    let (id, lifecycle) = (row.id, &row.lifecycle);
    Err(StoreError::Conflict(format!(
        "The experiment {id} must be in the 'active' state. Current state is {lifecycle}."
    )))
}

pub(crate) fn experiment_tags(tx: &mut Tx<'_>, id: i64) -> Result<Vec<(String, String)>> {
    let sql = "SELECT name, value FROM experiment_tags WHERE experiment_id = $1 ORDER BY name";
    tx.rows(sql, &[id.into()], |row| Ok((row.text(0)?, row.text(1)?)))
}

/// With the experiment of each.
pub(crate) fn experiment_tags_of(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<(i64, (String, String))>> {
    let (places, values) = one_of(ids, 1);
    let sql = format!(
        "SELECT experiment_id, name, value FROM experiment_tags WHERE experiment_id IN {places} \
         ORDER BY experiment_id, name"
    );
    tx.rows(&sql, &values, |row| Ok((row.int(0)?, (row.text(1)?, row.text(2)?))))
}

pub(super) fn by_name(tx: &mut Tx<'_>, project: &Name, name: &str) -> Result<Option<ExperimentRow>> {
    let sql = concat!("SELECT ", experiment_columns!(), " FROM experiments WHERE project = $1 AND name = $2");
    tx.row(sql, &[project.as_str().into(), name.into()], read)
}

fn create(tx: &mut Tx<'_>, new: &NewExperiment) -> Result<i64> {
    let sql = "INSERT INTO experiments (project, name, lifecycle, created_ms, updated_ms) \
               VALUES ($1, $2, 'active', $3, $3) ON CONFLICT (project, name) DO NOTHING RETURNING id";
    let values = [new.project.as_str().into(), (&new.name).into(), new.created_ms.into()];
    let id = tx.row(sql, &values, |row| row.int(0)).map_err(|error| match error {
        StoreError::Conflict(_) => StoreError::not_found(format!("project '{}'", new.project)),
        other => other,
    })?;
    let id = id.ok_or_else(|| taken(&new.name))?;
    match &new.artifact_location {
        ArtifactLocation::Below(root) => {
            let root = root_of_project(tx, &new.project, root)?;
            place(tx, id, &root)?;
        }
        ArtifactLocation::Ours => place(tx, id, &below_workspace(&new.project, OWN_ARTIFACTS))?,
        ArtifactLocation::Given(location) => {
            let sql = "UPDATE experiments SET artifact_location = $2 WHERE id = $1";
            tx.execute(sql, &[id.into(), location.into()])?;
        }
    }
    put_experiment_tags(tx, id, &new.tags)?;
    Ok(id)
}

/// Projects keep their artifacts apart, but for the first, whose files lie where they would without projects.
fn root_of_project(tx: &mut Tx<'_>, project: &Name, root: &str) -> Result<String> {
    let sql = "SELECT artifact_root FROM projects WHERE name = $1";
    let own = tx.row(sql, &[project.as_str().into()], |row| row.text_opt(0))?.flatten();
    Ok(match own {
        // What this server keeps is told apart by the folder.
        Some(own) if own.starts_with("mlflow-artifacts:") => {
            let path = own.trim_start_matches("mlflow-artifacts:").trim_matches('/');
            let below = below_workspace(project, OWN_ARTIFACTS);
            if path.is_empty() { below } else { uri::append(&below, &[path]) }
        }
        Some(own) => own,
        None => below_workspace(project, root),
    })
}

fn below_workspace(project: &Name, root: &str) -> String {
    if project.as_str() == DEFAULT_PROJECT {
        return root.to_owned();
    }
    uri::append(root, &[uri::WORKSPACES, project.as_str()])
}

fn place(tx: &mut Tx<'_>, id: i64, root: &str) -> Result<()> {
    let location = uri::append(root, &[&id.to_string()]);
    tx.execute("UPDATE experiments SET artifact_location = $2 WHERE id = $1", &[id.into(), (&location).into()])?;
    Ok(())
}

fn taken(name: &str) -> StoreError {
    StoreError::Exists(format!("Experiment(name={name}) already exists."))
}

pub(super) fn put_experiment_tags(tx: &mut Tx<'_>, id: i64, tags: &[(String, String)]) -> Result<()> {
    let tags = super::last_of_each(tags);
    let insert = Insert {
        table: "experiment_tags",
        columns: &["experiment_id", "name", "value"],
        on_conflict: "ON CONFLICT (experiment_id, name) DO UPDATE SET value = excluded.value",
    };
    let (names, values) = tags.iter().copied().unzip();
    tx.insert(&insert, &[Column::Same(id.into(), tags.len()), Column::Text(names), Column::Text(values)])?;
    Ok(())
}

fn turn(
    tx: &mut Tx<'_>,
    (scope, id): (&Scope, i64),
    (from, to): (&'static str, &'static str),
    now_ms: i64,
) -> Result<()> {
    if expect_experiment(tx, scope, id)?.lifecycle != from {
        return Err(StoreError::NotFound(format!("No Experiment with id={id} exists")));
    }
    let sql = "UPDATE experiments SET lifecycle = $2, updated_ms = $3 WHERE id = $1";
    tx.execute(sql, &[id.into(), to.into(), now_ms.into()])?;
    let deleted_ms: Value<'_> = (to == "deleted").then_some(now_ms).into();
    let sql = "UPDATE runs SET lifecycle = $2, deleted_ms = $3 WHERE experiment_id = $1";
    tx.execute(sql, &[id.into(), to.into(), deleted_ms])?;
    Ok(())
}

pub(crate) fn read(row: Row<'_>) -> Result<ExperimentRow> {
    let id = row.int(0)?;
    Ok(ExperimentRow {
        id,
        project: row.parsed(1)?,
        name: row.text(2)?,
        lifecycle: row.text(3)?,
        created_ms: row.int(4)?,
        updated_ms: row.int(5)?,
        artifact_location: row.text_opt(6)?.unwrap_or_else(|| uri::append(OWN_ARTIFACTS, &[&id.to_string()])),
    })
}
