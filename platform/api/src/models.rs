use axum::extract::State;
use serde::{Deserialize, Serialize};
use tiegel_http::{Json, Path, Problem};
use tiegel_types::{Digest, Metrics, Name};
use utoipa::ToSchema;

use crate::projects::ACTOR;
use crate::{ApiResult, ApiState};

#[derive(Serialize, ToSchema)]
pub struct Model {
    #[schema(value_type = String)]
    pub name: Name,
    pub versions: Vec<ModelVersion>,
    pub aliases: Vec<Alias>,
}

#[derive(Serialize, ToSchema)]
pub struct ModelVersion {
    pub version: u32,
    #[schema(value_type = String)]
    pub bundle: Digest,
    pub run_id: Option<String>,
    pub created_ms: i64,
    #[schema(value_type = Object)]
    pub metrics: Metrics,
}

#[derive(Serialize, ToSchema)]
pub struct Alias {
    pub alias: String,
    pub version: u32,
}

/// The registered models of a project with their versions and aliases.
#[utoipa::path(get, path = "/api/v1/projects/{project}/models", tag = "models", params(("project" = String, Path)),
    responses((status = 200, body = Vec<Model>), (status = "4XX", body = Problem)))]
pub async fn list_models(State(state): State<ApiState>, Path(project): Path<Name>) -> ApiResult<Json<Vec<Model>>> {
    let store = &state.ctx.store;
    let mut models = Vec::new();
    for row in store.models(&project).await? {
        let versions = store.model_versions(&row.name).await?.into_iter().map(|v| ModelVersion {
            version: v.version,
            bundle: v.bundle,
            run_id: v.run_id.map(|r| r.to_string()),
            created_ms: v.created_ms,
            metrics: v.metrics,
        });
        let aliases = store.aliases(&row.name).await?;
        let aliases = aliases.into_iter().map(|a| Alias { alias: a.alias.to_string(), version: a.version }).collect();
        models.push(Model { versions: versions.collect(), aliases, name: row.name });
    }
    Ok(Json(models))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAlias {
    pub version: u32,
}

/// Points an alias at a version: a roll-out or a roll-back. Endpoints on the alias follow after their skew replay.
#[utoipa::path(put, path = "/api/v1/models/{model}/aliases/{alias}", tag = "models",
    params(("model" = String, Path), ("alias" = String, Path)), request_body = SetAlias,
    responses((status = 200, body = Alias), (status = "4XX", body = Problem)))]
pub async fn set_alias(
    State(state): State<ApiState>,
    Path((model, alias)): Path<(Name, Name)>,
    Json(set): Json<SetAlias>,
) -> ApiResult<Json<Alias>> {
    state.ctx.store.set_alias(&model, &alias, set.version, ACTOR, state.ctx.now_ms()).await?;
    state.reconciler.poke();
    Ok(Json(Alias { alias: alias.to_string(), version: set.version }))
}
