use std::collections::BTreeMap;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use tiegel_http::{ApiError, Json, Path, Problem, Query};
use tiegel_registry::Lineage;
use tiegel_store::{AliasRow, Change, ModelVersionRow};
use tiegel_types::{Digest, Metrics, Name};
use utoipa::{IntoParams, ToSchema};

use crate::failure::malformed;
use crate::projects::ACTOR;
use crate::{ApiResult, ApiState};

#[derive(Serialize, ToSchema)]
pub struct Model {
    pub name: String,
    pub description: String,
    pub tags: BTreeMap<String, String>,
    /// Newest first.
    pub versions: Vec<ModelVersion>,
    pub aliases: Vec<Alias>,
}

#[derive(Serialize, ToSchema)]
pub struct ModelVersion {
    pub version: u32,
    /// Of a version that a training of this server made.
    #[schema(value_type = Option<String>)]
    pub bundle: Option<Digest>,
    pub run_id: Option<String>,
    /// The job of that run.
    pub job_id: Option<String>,
    /// The MLflow model that a client registered.
    pub logged_model_id: Option<String>,
    /// What the client named, and where the files are.
    pub source: String,
    pub location: String,
    pub stage: String,
    pub description: Option<String>,
    pub created_ms: i64,
    #[schema(value_type = Object)]
    pub metrics: Metrics,
    /// Inputs, outputs and params as MLflow writes them, where they are known.
    #[schema(value_type = Option<Object>)]
    pub signature: Option<serde_json::Value>,
    pub tags: BTreeMap<String, String>,
    pub aliases: Vec<String>,
}

#[derive(Serialize, ToSchema)]
pub struct Alias {
    pub alias: String,
    pub version: u32,
}

#[derive(Serialize, ToSchema)]
pub struct ModelVersionDetail {
    pub model: String,
    pub project: String,
    #[serde(flatten)]
    pub version: ModelVersion,
    pub lineage: VersionLineage,
}

/// What this server made the version from.
#[derive(Serialize, ToSchema)]
pub struct VersionLineage {
    pub data: Vec<Ingredient>,
    pub plugins: Vec<Ingredient>,
}

#[derive(Serialize, ToSchema)]
pub struct Ingredient {
    pub name: String,
    #[schema(value_type = String)]
    pub digest: Digest,
}

impl From<ModelVersionRow> for ModelVersion {
    fn from(row: ModelVersionRow) -> Self {
        Self {
            version: row.version,
            bundle: row.bundle,
            run_id: Some(row.run_id).filter(|id| !id.is_empty()),
            job_id: row.job_id.map(|id| id.to_string()),
            logged_model_id: row.logged_model_id,
            source: row.source,
            location: row.storage_location,
            stage: row.stage.to_string(),
            description: row.description,
            created_ms: row.created_ms,
            metrics: row.metrics,
            signature: row.signature,
            tags: row.tags.into_iter().collect(),
            aliases: row.aliases,
        }
    }
}

impl From<AliasRow> for Alias {
    fn from(row: AliasRow) -> Self {
        Self { alias: row.alias, version: row.version }
    }
}

impl From<Lineage> for VersionLineage {
    fn from(lineage: Lineage) -> Self {
        let ingredient = |(name, digest)| Ingredient { name, digest };
        Self {
            data: lineage.data.into_iter().map(ingredient).collect(),
            plugins: lineage.plugins.into_iter().map(ingredient).collect(),
        }
    }
}

/// The registered models of a project with their versions and aliases. Prompts are not among them.
#[utoipa::path(get, path = "/api/v1/projects/{project}/models", tag = "models", params(("project" = String, Path)),
    responses((status = 200, body = Vec<Model>), (status = "4XX", body = Problem)))]
pub async fn list_models(State(state): State<ApiState>, Path(project): Path<Name>) -> ApiResult<Json<Vec<Model>>> {
    let store = &state.ctx.store;
    let mut models = Vec::new();
    for row in store.models(&project).await?.into_iter().filter(|row| !row.is_prompt()) {
        let mut versions = store.model_versions(&project, &row.name).await?;
        for version in &mut versions {
            tiegel_registry::complete_metrics(&state.ctx, version).await?;
        }
        models.push(Model {
            versions: versions.into_iter().map(ModelVersion::from).collect(),
            aliases: row.aliases.into_iter().map(Alias::from).collect(),
            description: row.description,
            tags: row.tags.into_iter().collect(),
            name: row.name,
        });
    }
    Ok(Json(models))
}

/// One version with what it was made from.
#[utoipa::path(get, path = "/api/v1/models/{model}/versions/{version}", tag = "models",
    params(("model" = String, Path), ("version" = u32, Path), InProject),
    responses((status = 200, body = ModelVersionDetail), (status = "4XX", body = Problem)))]
pub async fn get_version(
    State(state): State<ApiState>,
    Path((model, version)): Path<(String, u32)>,
    Query(of): Query<InProject>,
) -> ApiResult<Json<ModelVersionDetail>> {
    let project = of.project(&state, &model).await?;
    let row = state.ctx.store.model_version(&project, &model, version).await?;
    let missing = || ApiError::not_found("version_not_found", format!("model '{model}' has no version {version}"));
    let mut row = row.ok_or_else(missing)?;
    tiegel_registry::complete_metrics(&state.ctx, &mut row).await?;
    let lineage = tiegel_registry::lineage(&state.ctx, &row).await?.into();
    let project = row.project.to_string();
    Ok(Json(ModelVersionDetail { model, project, version: row.into(), lineage }))
}

/// Which of the models of one name is meant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InProject {
    /// Needed where several projects have a model of the name.
    #[param(value_type = Option<String>)]
    project: Option<Name>,
}

impl InProject {
    async fn project(self, state: &ApiState, model: &str) -> ApiResult<Name> {
        if let Some(project) = self.project {
            return Ok(project);
        }
        let mut projects = state.ctx.store.projects_of_model(model).await?;
        match projects.len() {
            0 => Err(ApiError::not_found("model_not_found", format!("there is no model '{model}'")).into()),
            1 => Ok(projects.remove(0)),
            _ => {
                let names: Vec<_> = projects.iter().map(Name::as_str).collect();
                let message =
                    format!("model '{model}' is in several projects: add ?project= with one of {}", names.join(", "));
                Err(malformed(message))
            }
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAlias {
    pub version: u32,
}

/// Points an alias at a version: a roll-out or a roll-back. Endpoints on the alias follow after their skew replay.
#[utoipa::path(put, path = "/api/v1/models/{model}/aliases/{alias}", tag = "models",
    params(("model" = String, Path), ("alias" = String, Path), InProject), request_body = SetAlias,
    responses((status = 200, body = Alias), (status = "4XX", body = Problem)))]
pub async fn set_alias(
    State(state): State<ApiState>,
    Path((model, alias)): Path<(String, String)>,
    Query(of): Query<InProject>,
    Json(set): Json<SetAlias>,
) -> ApiResult<Json<Alias>> {
    // What the documents of a project may name, too.
    if alias.parse::<Name>().is_err() {
        tiegel_registry::check_alias(&alias, true).map_err(malformed)?;
    }
    let project = of.project(&state, &model).await?;
    let change = Change { actor: ACTOR.to_owned(), at_ms: state.ctx.now_ms(), project };
    state.ctx.store.set_alias(&model, &alias, set.version, change).await?;
    state.reconciler.poke();
    Ok(Json(Alias { alias, version: set.version }))
}
