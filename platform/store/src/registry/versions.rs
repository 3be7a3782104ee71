use serde_json::{Value as Json, json};
use tiegel_types::{Digest, Metrics, Name, RunId};

use super::aliases::point;
use super::events::{Claimed, VersionEvent};
use super::models::{NewModel, insert as insert_model};
use super::tags::{VERSION_TAGS, held_version};
use super::{Change, ModelVersionRow, Stage, Tags, is_prompt, loading, logged, no_model, no_version, put_pairs};
use crate::columns::json_text;
use crate::db::Tx;
use crate::{Result, Store, StoreError};

/// A version that a training of this server made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewModelVersion {
    pub model: String,
    pub bundle: Digest,
    /// Where clients find the bundle's files.
    pub location: String,
    pub run_id: Option<RunId>,
    pub metrics: Metrics,
    pub signature: Option<Json>,
    /// An alias to move to the version.
    pub alias: Option<String>,
}

/// A version that a client registers.
#[derive(Clone, Debug, PartialEq)]
pub struct NewVersion {
    pub model: String,
    pub source: String,
    pub storage_location: String,
    /// Empty where there is none.
    pub run_id: String,
    pub run_link: String,
    pub logged_model_id: Option<String>,
    pub description: Option<String>,
    pub user: Option<String>,
    pub signature: Option<Json>,
    /// Of a key that is there twice, the last counts.
    pub tags: Tags,
}

impl Store {
    /// Makes the next version of a model, or finds the one that has this bundle, and moves the alias to it. Makes the
    /// model where it is missing. All or nothing, with audit rows for what changed.
    #[tracing::instrument(name = "db.models.register", skip_all, fields(model = %new.model))]
    pub async fn register_version(&self, new: NewModelVersion, change: Change) -> Result<ModelVersionRow> {
        self.transact(move |tx| register(tx, &new, &change)).await
    }

    /// Makes the next version of a model that is there.
    #[tracing::instrument(name = "db.models.create_version", skip_all, fields(model = %new.model))]
    pub async fn create_version(&self, new: NewVersion, change: Change) -> Result<ModelVersionRow> {
        self.transact(move |tx| create(tx, &new, &change)).await
    }

    #[tracing::instrument(name = "db.models.version", skip_all)]
    pub async fn model_version(&self, project: &Name, model: &str, version: u32) -> Result<Option<ModelVersionRow>> {
        let (project, model) = (project.clone(), model.to_owned());
        self.query(move |tx| by_number(tx, (&project, &model), version)).await
    }

    /// Newest first.
    #[tracing::instrument(name = "db.models.versions", skip_all)]
    pub async fn model_versions(&self, project: &Name, model: &str) -> Result<Vec<ModelVersionRow>> {
        let (project, model) = (project.clone(), model.to_owned());
        self.query(move |tx| {
            let rest = "WHERE project = $1 AND name = $2 ORDER BY version DESC";
            loading::versions(tx, rest, &[project.as_str().into(), (&model).into()])
        })
        .await
    }

    #[tracing::instrument(name = "db.models.describe_version", skip_all)]
    pub async fn describe_version(
        &self,
        model: &str,
        version: u32,
        description: Option<String>,
        change: Change,
    ) -> Result<ModelVersionRow> {
        let model = model.to_owned();
        self.transact(move |tx| {
            let (_, id) = held_version(tx, (&model, version), &change)?;
            let sql = "UPDATE model_versions SET description = $2, updated_ms = $3 WHERE id = $1";
            tx.execute(sql, &[id.into(), (&description).into(), change.at_ms.into()])?;
            existing(tx, (&change.project, &model), version)
        })
        .await
    }

    /// Moves a version to a stage, and where `archive` is set, all others of that stage to the archive.
    #[tracing::instrument(name = "db.models.transition", skip_all, fields(%stage))]
    pub async fn transition_version(
        &self,
        (model, version): (&str, u32),
        stage: Stage,
        archive: bool,
        change: Change,
    ) -> Result<ModelVersionRow> {
        let model = model.to_owned();
        self.transact(move |tx| transition(tx, (&model, version), (stage, archive), &change)).await
    }

    /// Deletes a version with its tags and the aliases that point at it. Its number is not given again.
    #[tracing::instrument(name = "db.models.delete_version", skip_all)]
    pub async fn delete_version(&self, model: &str, version: u32, change: Change) -> Result<()> {
        let name = model.to_owned();
        self.transact(move |tx| {
            let (_, id) = held_version(tx, (&name, version), &change)?;
            let model = Claimed::touch(tx, &name, &change)?;
            let row = existing(tx, (&change.project, &name), version)?;
            tx.execute("DELETE FROM model_versions WHERE id = $1", &[id.into()])?;
            let detail = json!({ "version": version, "bundle": row.bundle, "aliases": row.aliases });
            model.audit(tx, &change, ("version.delete", format!("model/{name}")), detail)
        })
        .await
    }
}

fn by_number(tx: &mut Tx<'_>, (project, model): (&Name, &str), version: u32) -> Result<Option<ModelVersionRow>> {
    let rest = "WHERE project = $1 AND name = $2 AND version = $3";
    Ok(loading::versions(tx, rest, &[project.as_str().into(), model.into(), i64::from(version).into()])?.pop())
}

fn existing(tx: &mut Tx<'_>, (project, model): (&Name, &str), version: u32) -> Result<ModelVersionRow> {
    by_number(tx, (project, model), version)?.ok_or_else(|| no_version(model, version))
}

fn register(tx: &mut Tx<'_>, new: &NewModelVersion, change: &Change) -> Result<ModelVersionRow> {
    let model = claim_or_make(tx, new, change)?;
    let sql = "SELECT version FROM model_versions WHERE model = $1 AND bundle = $2";
    let bundle = new.bundle.to_string();
    let version = match tx.row(sql, &[model.id.into(), (&bundle).into()], |row| row.count(0))? {
        Some(version) => version,
        None => {
            let run_id = new.run_id.as_ref().map_or("", RunId::as_str);
            let made = Insertion {
                source: &new.location,
                storage_location: &new.location,
                run_id,
                bundle: Some(&bundle),
                metrics: json_text(&format!("metrics of model '{}'", new.model), &new.metrics)?,
                signature: new.signature.as_ref(),
                ..Insertion::default()
            };
            let (version, _) = made.insert(tx, &model, change)?;
            let detail = json!({ "version": version, "bundle": new.bundle, "run": new.run_id });
            model.audit(tx, change, ("version.register", format!("model/{}", new.model)), detail)?;
            let tags = vec![];
            let event = VersionEvent { version, source: &new.location, run_id, tags: &tags, description: None };
            model.tell_of_version(tx, change, &event)?;
            version
        }
    };
    if let Some(alias) = &new.alias {
        point(tx, &model, (alias, version), change)?;
    }
    existing(tx, (&model.project, &new.model), version)
}

/// Makes the model where it is missing, and holds it until the transaction ends.
fn claim_or_make(tx: &mut Tx<'_>, new: &NewModelVersion, change: &Change) -> Result<Claimed> {
    let sql = "SELECT name FROM projects WHERE name = $1";
    if tx.row(sql, &[change.project.as_str().into()], |_| Ok(()))?.is_none() {
        return Err(StoreError::not_found(format!("project '{}'", change.project)));
    }
    let (project, name) = (change.project.clone(), new.model.clone());
    let made = NewModel { project, name, description: String::new(), tags: vec![] };
    let is_new = insert_model(tx, &made, change.at_ms)?.is_some();
    let model = Claimed::hold(tx, &new.model, change)?;
    if is_new {
        model.tell_of_model(tx, change, &made.tags, &made.description)?;
    }
    Ok(model)
}

fn create(tx: &mut Tx<'_>, new: &NewVersion, change: &Change) -> Result<ModelVersionRow> {
    let mut model = Claimed::hold(tx, &new.model, change)?;
    let made = Insertion {
        source: &new.source,
        storage_location: &new.storage_location,
        run_id: &new.run_id,
        run_link: &new.run_link,
        logged_model_id: new.logged_model_id.as_deref(),
        description: new.description.as_deref(),
        user: new.user.as_deref(),
        signature: new.signature.as_ref(),
        bundle: None,
        metrics: "{}".to_owned(),
    };
    let (version, id) = made.insert(tx, &model, change)?;
    put_pairs(tx, VERSION_TAGS.of(id.into()), &new.tags)?;
    if let Some(logged_model) = &new.logged_model_id {
        logged::add_registration(tx, logged_model, (&new.model, version))?;
    }
    // The version's own tags decide which event it is, as clients tag each version of a prompt.
    model.is_prompt = is_prompt(&new.tags);
    let event = VersionEvent {
        version,
        source: &new.source,
        run_id: &new.run_id,
        tags: &new.tags,
        description: new.description.as_deref(),
    };
    model.tell_of_version(tx, change, &event)?;
    existing(tx, (&model.project, &new.model), version)
}

/// The columns of a new version.
#[derive(Default)]
struct Insertion<'a> {
    source: &'a str,
    storage_location: &'a str,
    run_id: &'a str,
    run_link: &'a str,
    logged_model_id: Option<&'a str>,
    description: Option<&'a str>,
    user: Option<&'a str>,
    signature: Option<&'a Json>,
    bundle: Option<&'a str>,
    metrics: String,
}

impl Insertion<'_> {
    /// Answers the number and the row's id.
    fn insert(&self, tx: &mut Tx<'_>, model: &Claimed, change: &Change) -> Result<(u32, i64)> {
        let sql = "UPDATE registered_models SET last_version = last_version + 1, updated_ms = $2 WHERE id = $1 \
                   RETURNING last_version";
        let version = tx.row(sql, &[model.id.into(), change.at_ms.into()], |row| row.count::<u32>(0))?;
        let version = version.ok_or_else(|| no_model(&model.name))?;
        let signature = self.signature.map(Json::to_string);
        let id = tx.row(
            "INSERT INTO model_versions (model, project, name, version, description, user_id, stage, source, \
             storage_location, run_id, run_link, logged_model_id, bundle, job_id, metrics, signature, created_ms, updated_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, 'None', $7, $8, $9, $10, $11, $12, \
             (SELECT job_id FROM runs WHERE run_id = $9), $13, $14, $15, $15) RETURNING id",
            &[
                model.id.into(),
                model.project.as_str().into(),
                (&model.name).into(),
                i64::from(version).into(),
                self.description.into(),
                self.user.into(),
                self.source.into(),
                self.storage_location.into(),
                self.run_id.into(),
                self.run_link.into(),
                self.logged_model_id.into(),
                self.bundle.into(),
                (&self.metrics).into(),
                (&signature).into(),
                change.at_ms.into(),
            ],
            |row| row.int(0),
        )?;
        Ok((version, id.ok_or_else(|| no_version(&model.name, version))?))
    }
}

fn transition(
    tx: &mut Tx<'_>,
    (name, version): (&str, u32),
    (stage, archive): (Stage, bool),
    change: &Change,
) -> Result<ModelVersionRow> {
    let (_, id) = held_version(tx, (name, version), change)?;
    let model = Claimed::touch(tx, name, change)?;
    let before = existing(tx, (&model.project, name), version)?.stage;
    if archive {
        let sql = "UPDATE model_versions SET stage = $3, updated_ms = $4 WHERE model = $1 AND stage = $2 AND id <> $5";
        let (from, to) = (stage.as_str(), Stage::Archived.as_str());
        tx.execute(sql, &[model.id.into(), from.into(), to.into(), change.at_ms.into(), id.into()])?;
    }
    let sql = "UPDATE model_versions SET stage = $2, updated_ms = $3 WHERE id = $1";
    tx.execute(sql, &[id.into(), stage.as_str().into(), change.at_ms.into()])?;
    if before != stage || archive {
        let detail =
            json!({ "version": version, "from": before.as_str(), "to": stage.as_str(), "archived_others": archive });
        model.audit(tx, change, ("version.stage", format!("model/{name}")), detail)?;
    }
    existing(tx, (&model.project, name), version)
}
