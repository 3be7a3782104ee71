use serde::{Deserialize, Serialize};
use tiegel_types::{JobId, Name, RunId, RunStatus, uri};

use super::direct::DIRECT_TAGS_MAX;
use super::experiments::{ExperimentRow, OWN_ARTIFACTS, expect_active, expect_experiment};
use super::keys::one_of;
use super::tags::put_tags;
use super::{Keys, Scope, last_of_each};
use crate::columns::{message, value_text};
use crate::db::{Row, Tx, Value};
use crate::pool::Backend;
use crate::{Result, Store, StoreError};

/// The tag that a run's name is kept in as well.
pub(crate) const NAME_TAG: &str = "mlflow.runName";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRow {
    /// By which the rows of what it logged name it.
    pub id: i64,
    pub run_id: RunId,
    pub experiment_id: i64,
    pub project: Name,
    pub name: String,
    pub user_id: String,
    pub status: RunStatus,
    pub start_ms: i64,
    pub end_ms: Option<i64>,
    pub artifact_uri: String,
    /// `active` or `deleted`.
    pub lifecycle: String,
    pub job_id: Option<JobId>,
    /// What made it.
    pub source: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewRun {
    pub run_id: RunId,
    pub experiment_id: i64,
    /// Kept in a tag too.
    pub name: String,
    pub user_id: String,
    pub start_ms: i64,
    pub job_id: Option<JobId>,
    pub source: serde_json::Value,
    pub tags: Vec<(String, String)>,
}

/// What changes; the rest stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunUpdate {
    pub status: Option<RunStatus>,
    pub end_ms: Option<i64>,
    /// Kept in a tag too.
    pub name: Option<String>,
}

/// What writing to a run needs to know of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunHead {
    pub id: i64,
    pub experiment_id: i64,
}

macro_rules! run_columns {
    () => {
        "id, run_id, experiment_id, project, name, user_id, status, start_ms, end_ms, artifact_uri, lifecycle, job_id, source"
    };
}

/// A run that was started before goes on.
macro_rules! insert_run {
    () => {
        "INSERT INTO runs (run_id, experiment_id, project, name, user_id, status, start_ms, artifact_uri, lifecycle, \
         job_id, source) VALUES ($1, $2, $3, $4, $5, 'RUNNING', $6, $7, 'active', $8, $9) \
         ON CONFLICT (run_id) DO UPDATE SET status = 'RUNNING', end_ms = NULL \
         WHERE runs.experiment_id = excluded.experiment_id"
    };
}

pub(super) use {insert_run, run_columns};

impl Store {
    /// Starts a run in an active experiment. One that was started there before goes on: it is running again, and keeps all
    /// else.
    #[tracing::instrument(name = "db.runs.create", skip_all)]
    pub async fn create_run(&self, scope: &Scope, new: NewRun) -> Result<RunRow> {
        let keys = self.keys();
        if self.backend() == Backend::Postgres
            && let Some(ids) = keys.all_remembered(own_tags(&new).iter().map(|(key, _)| *key).chain([NAME_TAG]))
            && ids.len() <= DIRECT_TAGS_MAX
        {
            return self.create_run_directly(scope, new, ids).await;
        }
        let scope = scope.clone();
        self.transact(move |tx| create(tx, &keys, &scope, &new)).await
    }

    #[tracing::instrument(name = "db.runs.update", skip_all)]
    pub async fn update_run(&self, scope: &Scope, run: &str, update: RunUpdate) -> Result<RunRow> {
        let (scope, keys, run) = (scope.clone(), self.keys(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let head = run_to_write(tx, &scope, &run)?;
            if let Some(name) = &update.name {
                let ids = keys.intern(tx, &[NAME_TAG])?;
                put_tags(tx, head, &ids, &[(NAME_TAG, name)])?;
            }
            let sql = concat!(
                "UPDATE runs SET status = COALESCE($2, status), end_ms = COALESCE($3, end_ms), \
                 name = COALESCE($4, name) WHERE id = $1 RETURNING ",
                run_columns!()
            );
            let status: Value<'_> = update.status.map(RunStatus::as_str).into();
            let values = [head.id.into(), status, update.end_ms.into(), (&update.name).into()];
            tx.row(sql, &values, read)?.ok_or_else(|| no_run(&run))
        };
        self.transact(operation).await
    }

    /// Deletes a run, or does nothing where it is deleted. It can be restored.
    #[tracing::instrument(name = "db.runs.delete", skip_all)]
    pub async fn delete_run(&self, scope: &Scope, run: &str, now_ms: i64) -> Result<()> {
        self.set_lifecycle(scope, run, ("deleted", Some(now_ms))).await
    }

    #[tracing::instrument(name = "db.runs.restore", skip_all)]
    pub async fn restore_run(&self, scope: &Scope, run: &str) -> Result<()> {
        self.set_lifecycle(scope, run, ("active", None)).await
    }

    #[tracing::instrument(name = "db.runs.get", skip_all)]
    pub async fn run(&self, run: &RunId) -> Result<Option<RunRow>> {
        let run = run.clone();
        self.query(move |tx| find_run(tx, &Scope::All, run.as_str())).await
    }

    /// Newest first.
    #[tracing::instrument(name = "db.runs.list", skip_all)]
    pub async fn runs(&self, project: &Name, experiment: Option<i64>, limit: u32) -> Result<Vec<RunRow>> {
        let project = project.clone();
        let sql = concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs WHERE project = $1 AND experiment_id = COALESCE($2, experiment_id) \
             ORDER BY start_ms DESC, run_id DESC LIMIT $3"
        );
        let operation = move |tx: &mut Tx<'_>| {
            tx.rows(sql, &[project.as_str().into(), experiment.into(), i64::from(limit).into()], read)
        };
        self.query(operation).await
    }

    async fn set_lifecycle(
        &self,
        scope: &Scope,
        run: &str,
        (lifecycle, deleted_ms): (&'static str, Option<i64>),
    ) -> Result<()> {
        let (scope, run) = (scope.clone(), run.to_owned());
        let operation = move |tx: &mut Tx<'_>| {
            let row = expect_run(tx, &scope, &run)?;
            let sql = "UPDATE runs SET lifecycle = $2, deleted_ms = $3 WHERE id = $1";
            tx.execute(sql, &[row.id.into(), lifecycle.into(), deleted_ms.into()])?;
            Ok(())
        };
        self.transact(operation).await
    }
}

pub(crate) fn no_run(run: &str) -> StoreError {
    StoreError::NotFound(format!("Run with id={run} not found"))
}

/// The run, if the scope sees it.
pub(crate) fn find_run(tx: &mut Tx<'_>, scope: &Scope, run: &str) -> Result<Option<RunRow>> {
    let sql = concat!("SELECT ", run_columns!(), " FROM runs WHERE run_id = $1");
    Ok(tx.row(sql, &[run.into()], read)?.filter(|row| scope.sees(row.project.as_str())))
}

/// The runs of these ids that there are, in no order.
pub(crate) fn runs_of_ids(tx: &mut Tx<'_>, ids: &[i64]) -> Result<Vec<RunRow>> {
    let (places, values) = one_of(ids, 1);
    let sql = format!(concat!("SELECT ", run_columns!(), " FROM runs WHERE id IN {}"), places);
    tx.rows(&sql, &values, read)
}

pub(crate) fn expect_run(tx: &mut Tx<'_>, scope: &Scope, run: &str) -> Result<RunRow> {
    find_run(tx, scope, run)?.ok_or_else(|| no_run(run))
}

/// The run, if the scope sees it and it takes writes.
pub(crate) fn run_to_write(tx: &mut Tx<'_>, scope: &Scope, run: &str) -> Result<RunHead> {
    let sql = "SELECT id, experiment_id, lifecycle, project FROM runs WHERE run_id = $1";
    writable(tx.row(sql, &[run.into()], |row| found_head(&row, scope))?, run)
}

/// A run that was looked up in order to write to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundHead {
    head: RunHead,
    is_active: bool,
    is_seen: bool,
}

/// From a row that begins with id, experiment, lifecycle and project.
pub(super) fn found_head(row: &Row<'_>, scope: &Scope) -> Result<FoundHead> {
    let head = RunHead { id: row.int(0)?, experiment_id: row.int(1)? };
    Ok(FoundHead { head, is_active: row.str(2)? == "active", is_seen: scope.sees(row.str(3)?) })
}

pub(super) fn writable(found: Option<FoundHead>, run: &str) -> Result<RunHead> {
    match found {
        Some(FoundHead { head, is_active: true, is_seen: true }) => Ok(head),
        Some(FoundHead { is_active: false, is_seen: true, .. }) => {
            Err(StoreError::Conflict(format!("The run {run} must be in the 'active' state. Current state is deleted.")))
        }
        _ => Err(no_run(run)),
    }
}

fn create(tx: &mut Tx<'_>, keys: &Keys, scope: &Scope, new: &NewRun) -> Result<RunRow> {
    let experiment = expect_experiment(tx, scope, new.experiment_id)?;
    expect_active(&experiment)?;
    let sql = concat!(insert_run!(), " RETURNING ", run_columns!());
    let texts = NewTexts::of(new, &experiment);
    let row = tx.row(sql, &texts.values(new, &experiment), read)?;
    let row = row.ok_or_else(|| elsewhere(new))?;
    let mut tags = own_tags(new);
    tags.push((NAME_TAG, &row.name));
    let ids = keys.intern(tx, &tags.iter().map(|(key, _)| *key).collect::<Vec<_>>())?;
    put_tags(tx, RunHead { id: row.id, experiment_id: row.experiment_id }, &ids, &tags)?;
    Ok(row)
}

pub(super) fn elsewhere(new: &NewRun) -> StoreError {
    StoreError::Conflict(format!("run {} belongs to another experiment", new.run_id))
}

/// The tags of a new run besides that of its name, no key twice.
pub(super) fn own_tags(new: &NewRun) -> Vec<(&str, &str)> {
    let mut tags = last_of_each(&new.tags);
    tags.retain(|(key, _)| *key != NAME_TAG);
    tags
}

/// What a new run's row is made of.
pub(super) struct NewTexts {
    name: String,
    artifact_uri: String,
    job: Option<String>,
    source: String,
}

impl NewTexts {
    pub fn of(new: &NewRun, experiment: &ExperimentRow) -> Self {
        // What a job of this server makes lies with this server, wherever clients of the experiment put theirs.
        let location = match new.job_id {
            Some(_) => uri::append(OWN_ARTIFACTS, &[&experiment.id.to_string()]),
            None => experiment.artifact_location.clone(),
        };
        Self {
            name: message(&new.name),
            artifact_uri: uri::append(&location, &[new.run_id.as_str(), "artifacts"]),
            job: new.job_id.map(|id| id.to_string()),
            source: value_text(&new.source),
        }
    }

    pub fn values<'v>(&'v self, new: &'v NewRun, experiment: &'v ExperimentRow) -> [Value<'v>; 9] {
        [
            new.run_id.as_str().into(),
            experiment.id.into(),
            experiment.project.as_str().into(),
            (&self.name).into(),
            (&new.user_id).into(),
            new.start_ms.into(),
            (&self.artifact_uri).into(),
            (&self.job).into(),
            (&self.source).into(),
        ]
    }
}

pub(crate) fn read(row: Row<'_>) -> Result<RunRow> {
    let job_id = row.text_opt(11)?;
    Ok(RunRow {
        id: row.int(0)?,
        run_id: row.parsed(1)?,
        experiment_id: row.int(2)?,
        project: row.parsed(3)?,
        name: row.text(4)?,
        user_id: row.text(5)?,
        status: row.parsed(6)?,
        start_ms: row.int(7)?,
        end_ms: row.int_opt(8)?,
        artifact_uri: row.text(9)?,
        lifecycle: row.text(10)?,
        job_id: job_id.map(|id| id.parse()).transpose().map_err(|why: String| StoreError::Engine(why))?,
        source: row.json(12)?,
    })
}
