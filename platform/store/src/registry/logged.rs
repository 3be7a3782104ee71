//! Logged models: what a client trained in an experiment, before anybody registers it. Their metrics are points of runs.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Value as Json, json};

use super::loading::{list_of_texts, text_in_first};
use super::{PairsOf, Tags, put_pairs};
use crate::db::{Row, Tx, Value};
use crate::{Result, Store, StoreError};

/// The tag that lists the registered versions of a logged model.
const VERSIONS_TAG: &str = "mlflow.modelVersions";

#[derive(Clone, Debug, PartialEq)]
pub struct LoggedModelRow {
    pub model_id: String,
    pub experiment_id: i64,
    pub name: String,
    pub artifact_location: String,
    /// Empty where there is none.
    pub model_type: String,
    /// Empty where no run made it.
    pub source_run_id: String,
    pub status: LoggedModelStatus,
    pub status_message: Option<String>,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub tags: Tags,
    pub params: Tags,
    pub metrics: Vec<LoggedModelMetric>,
}

/// A point of a run that is about the model.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedModelMetric {
    pub key: String,
    pub value: f64,
    pub timestamp_ms: i64,
    pub step: i64,
    pub run_id: String,
    pub dataset_name: Option<String>,
    pub dataset_digest: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedModelStatus {
    Unspecified,
    Pending,
    Ready,
    Failed,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewLoggedModel {
    pub model_id: String,
    pub experiment_id: i64,
    pub name: String,
    pub model_type: String,
    pub source_run_id: String,
    pub params: Tags,
    pub tags: Tags,
}

impl LoggedModelStatus {
    pub const ALL: [Self; 4] = [Self::Unspecified, Self::Pending, Self::Ready, Self::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Failed => "FAILED",
        }
    }
}

impl fmt::Display for LoggedModelStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LoggedModelStatus {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let known = Self::ALL.into_iter().find(|status| status.as_str() == text);
        known.ok_or_else(|| format!("'{text}' is not the status of a logged model"))
    }
}

const MODEL: &str = "SELECT model_id, experiment_id, name, artifact_location, model_type, source_run_id, status, \
                     status_message, created_ms, updated_ms FROM logged_models ";

impl Store {
    /// Makes a pending model, whose files belong below the experiment's place.
    #[tracing::instrument(name = "db.logged_models.create", skip_all)]
    pub async fn create_logged_model(&self, new: NewLoggedModel, now_ms: i64) -> Result<LoggedModelRow> {
        self.transact(move |tx| create(tx, &new, now_ms)).await
    }

    #[tracing::instrument(name = "db.logged_models.get", skip_all)]
    pub async fn logged_model(&self, model_id: &str, allow_deleted: bool) -> Result<Option<LoggedModelRow>> {
        let model_id = model_id.to_owned();
        self.query(move |tx| {
            let rest =
                if allow_deleted { "WHERE model_id = $1" } else { "WHERE model_id = $1 AND lifecycle = 'active'" };
            Ok(select(tx, rest, &[(&model_id).into()])?.pop())
        })
        .await
    }

    #[tracing::instrument(name = "db.logged_models.finalize", skip_all)]
    pub async fn finalize_logged_model(
        &self,
        model_id: &str,
        status: LoggedModelStatus,
        now_ms: i64,
    ) -> Result<LoggedModelRow> {
        let model_id = model_id.to_owned();
        self.transact(move |tx| {
            let sql = "UPDATE logged_models SET status = $2, updated_ms = $3 WHERE model_id = $1";
            tx.execute(sql, &[(&model_id).into(), status.as_str().into(), now_ms.into()])?;
            existing(tx, &model_id)
        })
        .await
    }

    /// The model is hidden; its files and what it refers to stay.
    #[tracing::instrument(name = "db.logged_models.delete", skip_all)]
    pub async fn delete_logged_model(&self, model_id: &str, now_ms: i64) -> Result<()> {
        let model_id = model_id.to_owned();
        self.transact(move |tx| {
            let sql = "UPDATE logged_models SET lifecycle = 'deleted', updated_ms = $2 WHERE model_id = $1";
            match tx.execute(sql, &[(&model_id).into(), now_ms.into()])? {
                0 => Err(no_logged_model(&model_id)),
                _ => Ok(()),
            }
        })
        .await
    }

    #[tracing::instrument(name = "db.logged_models.set_tags", skip_all)]
    pub async fn set_logged_model_tags(&self, model_id: &str, tags: Tags) -> Result<()> {
        let model_id = model_id.to_owned();
        self.transact(move |tx| {
            check_exists(tx, &model_id)?;
            put_pairs(tx, TAGS.of(Value::from(&model_id)), &tags)
        })
        .await
    }

    /// Answers whether there was such a tag.
    #[tracing::instrument(name = "db.logged_models.delete_tag", skip_all)]
    pub async fn delete_logged_model_tag(&self, model_id: &str, key: &str) -> Result<bool> {
        let (model_id, key) = (model_id.to_owned(), key.to_owned());
        self.transact(move |tx| {
            check_exists(tx, &model_id)?;
            let sql = "DELETE FROM logged_model_tags WHERE model_id = $1 AND key = $2";
            Ok(tx.execute(sql, &[(&model_id).into(), (&key).into()])? > 0)
        })
        .await
    }

    /// A param keeps its first value; another is refused.
    #[tracing::instrument(name = "db.logged_models.log_params", skip_all)]
    pub async fn log_logged_model_params(&self, model_id: &str, params: Tags) -> Result<()> {
        let model_id = model_id.to_owned();
        self.transact(move |tx| {
            check_exists(tx, &model_id)?;
            put_params(tx, &model_id, &params)
        })
        .await
    }
}

pub(super) const TAGS: PairsOf = PairsOf { table: "logged_model_tags", column: "model_id" };
pub(super) const PARAMS: PairsOf = PairsOf { table: "logged_model_params", column: "model_id" };

/// Models by a condition and an order, such as `WHERE experiment_id = $1`.
pub(crate) fn select(tx: &mut Tx<'_>, rest: &str, values: &[Value<'_>]) -> Result<Vec<LoggedModelRow>> {
    let mut models = tx.rows(&format!("{MODEL}{rest}"), values, model_of)?;
    if models.is_empty() {
        return Ok(models);
    }
    let ids = list_of_texts(models.iter().map(|model| model.model_id.as_str()));
    let places: HashMap<_, _> = models.iter().enumerate().map(|(at, model)| (model.model_id.clone(), at)).collect();
    let within = text_in_first(tx);
    for PairsOf { table, .. } in [TAGS, PARAMS] {
        let sql = format!("SELECT model_id, key, value FROM {table} WHERE model_id {within} ORDER BY model_id, key");
        tx.for_each(&sql, &[(&ids).into()], |row| {
            let model = &mut models[places[row.str(0)?]];
            let pairs = if table == TAGS.table { &mut model.tags } else { &mut model.params };
            pairs.push((row.text(1)?, row.text(2)?));
            Ok(())
        })?;
    }
    let sql = format!(
        "SELECT m.model_id, k.name, m.value, m.is_nan, m.timestamp_ms, m.step, r.run_id, m.dataset_name, m.dataset_digest \
         FROM model_metrics m JOIN keys k ON k.id = m.key JOIN runs r ON r.id = m.run \
         WHERE m.model_id {within} ORDER BY m.model_id, k.name, m.timestamp_ms, m.step, r.run_id"
    );
    tx.for_each(&sql, &[(&ids).into()], |row| {
        models[places[row.str(0)?]].metrics.push(metric_of(&row)?);
        Ok(())
    })?;
    Ok(models)
}

/// Writes into a logged model that a version of a registered model is it.
pub(super) fn add_registration(tx: &mut Tx<'_>, model_id: &str, (name, version): (&str, u32)) -> Result<()> {
    check_exists(tx, model_id)?;
    let sql = "SELECT value FROM logged_model_tags WHERE model_id = $1 AND key = $2";
    let before = tx.row(sql, &[model_id.into(), VERSIONS_TAG.into()], |row| row.text(0))?;
    // A client may have put anything there.
    let mut versions: Vec<Json> = before.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    versions.push(json!({ "name": name, "version": version }));
    let tag = (VERSIONS_TAG.to_owned(), Json::from(versions).to_string());
    put_pairs(tx, TAGS.of(model_id.into()), &vec![tag])
}

fn create(tx: &mut Tx<'_>, new: &NewLoggedModel, now_ms: i64) -> Result<LoggedModelRow> {
    let sql = "SELECT lifecycle, artifact_location FROM experiments WHERE id = $1";
    let experiment = tx.row(sql, &[new.experiment_id.into()], |row| Ok((row.text(0)?, row.text_opt(1)?)))?;
    let id = new.experiment_id;
    let missing = || StoreError::NotFound(format!("No Experiment with id={id} exists"));
    let (lifecycle, location) = experiment.ok_or_else(missing)?;
    if lifecycle != "active" {
        let message = format!(
            "The experiment {id} must be in the 'active' state. Current state is {lifecycle}: restore it first"
        );
        return Err(StoreError::Conflict(message));
    }
    let location = location.unwrap_or_else(|| format!("mlflow-artifacts:/{id}"));
    let location = tiegel_types::uri::append(&location, &["models", &new.model_id, "artifacts"]);
    tx.execute(
        "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location, model_type, source_run_id, status, \
         lifecycle, created_ms, updated_ms) VALUES ($1, $2, $3, $4, $5, $6, 'PENDING', 'active', $7, $7)",
        &[
            (&new.model_id).into(),
            id.into(),
            (&new.name).into(),
            (&location).into(),
            (&new.model_type).into(),
            (&new.source_run_id).into(),
            now_ms.into(),
        ],
    )?;
    put_params(tx, &new.model_id, &new.params)?;
    put_pairs(tx, TAGS.of(Value::from(&new.model_id)), &new.tags)?;
    existing(tx, &new.model_id)
}

fn put_params(tx: &mut Tx<'_>, model_id: &str, params: &Tags) -> Result<()> {
    let sql = "SELECT key, value FROM logged_model_params WHERE model_id = $1";
    let mut known: HashMap<String, String> =
        tx.rows(sql, &[model_id.into()], |row| Ok((row.text(0)?, row.text(1)?)))?.into_iter().collect();
    let mut new = Tags::new();
    for (key, value) in params {
        match known.get(key) {
            Some(before) if before != value => {
                return Err(StoreError::Conflict(format!(
                    "param '{key}' of logged model '{model_id}' has the value '{before}' already, and params keep their \
                     first value: log '{value}' under another key"
                )));
            }
            Some(_) => {}
            None => {
                known.insert(key.clone(), value.clone());
                new.push((key.clone(), value.clone()));
            }
        }
    }
    put_pairs(tx, PARAMS.of(model_id.into()), &new)
}

fn existing(tx: &mut Tx<'_>, model_id: &str) -> Result<LoggedModelRow> {
    select(tx, "WHERE model_id = $1", &[model_id.into()])?.pop().ok_or_else(|| no_logged_model(model_id))
}

fn check_exists(tx: &mut Tx<'_>, model_id: &str) -> Result<()> {
    let sql = "SELECT model_id FROM logged_models WHERE model_id = $1";
    tx.row(sql, &[model_id.into()], |_| Ok(()))?.ok_or_else(|| no_logged_model(model_id))
}

fn no_logged_model(model_id: &str) -> StoreError {
    StoreError::NotFound(format!("Logged model with ID '{model_id}' not found."))
}

fn model_of(row: Row<'_>) -> Result<LoggedModelRow> {
    Ok(LoggedModelRow {
        model_id: row.text(0)?,
        experiment_id: row.int(1)?,
        name: row.text(2)?,
        artifact_location: row.text(3)?,
        model_type: row.text(4)?,
        source_run_id: row.text(5)?,
        status: row.parsed(6)?,
        status_message: row.text_opt(7)?,
        created_ms: row.int(8)?,
        updated_ms: row.int(9)?,
        tags: vec![],
        params: vec![],
        metrics: vec![],
    })
}

fn metric_of(row: &Row<'_>) -> Result<LoggedModelMetric> {
    Ok(LoggedModelMetric {
        key: row.text(1)?,
        value: if row.flag(3)? { f64::NAN } else { row.real(2)? },
        timestamp_ms: row.int(4)?,
        step: row.int(5)?,
        run_id: row.text(6)?,
        dataset_name: row.text_opt(7)?,
        dataset_digest: row.text_opt(8)?,
    })
}
