use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tiegel_http::{ApiError, Json, Path, Problem, Query};
use tiegel_store::{NewPlugin, PluginRow};
use tiegel_types::{Digest, Name, PluginDescriptor, limits};
use utoipa::{IntoParams, ToSchema};

use crate::failure::malformed;
use crate::{ApiResult, ApiState};

#[derive(Serialize, ToSchema)]
pub struct Plugin {
    #[schema(value_type = String)]
    pub name: Name,
    pub version: String,
    #[schema(value_type = String)]
    pub digest: Digest,
    pub bytes: u64,
    pub created_ms: i64,
    #[schema(value_type = Object)]
    pub descriptor: PluginDescriptor,
}

fn plugin_of(row: PluginRow) -> Plugin {
    let PluginRow { name, version, digest, bytes, created_ms, descriptor, .. } = row;
    Plugin { name, version, digest, bytes, created_ms, descriptor }
}

/// Pushes a component. Its name and version are the ones it says itself; a version never changes.
#[utoipa::path(post, path = "/api/v1/projects/{project}/plugins", tag = "plugins", params(("project" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = Plugin), (status = "4XX", body = Problem)))]
pub async fn push_plugin(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    body: Body,
) -> ApiResult<(StatusCode, Json<Plugin>)> {
    let wasm = to_bytes(body, limits::PLUGIN_BYTES_MAX).await.map_err(|_| {
        let detail = format!("a plugin has at most {} MiB", limits::PLUGIN_BYTES_MAX >> 20);
        ApiError::payload_too_large("plugin_too_large", detail)
    })?;
    let bytes = wasm.len() as u64;
    let (digest, descriptor) = state.ctx.install_plugin(wasm.to_vec()).await?;
    let name = Name::new(descriptor.name.clone()).map_err(malformed)?;
    let now = state.ctx.now_ms();
    state.ctx.store.ensure_project(&project, now).await?;
    let new =
        NewPlugin { project, name, version: descriptor.version.clone(), digest, descriptor, bytes, created_ms: now };
    Ok((StatusCode::CREATED, Json(plugin_of(state.ctx.store.add_plugin(new).await?))))
}

/// The plugins of a project.
#[utoipa::path(get, path = "/api/v1/projects/{project}/plugins", tag = "plugins", params(("project" = String, Path)),
    responses((status = 200, body = Vec<Plugin>), (status = "4XX", body = Problem)))]
pub async fn list_plugins(State(state): State<ApiState>, Path(project): Path<Name>) -> ApiResult<Json<Vec<Plugin>>> {
    Ok(Json(state.ctx.store.plugins(&project).await?.into_iter().map(plugin_of).collect()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WhichPlugin {
    /// By default the highest.
    version: Option<String>,
}

/// What a plugin says of itself.
#[utoipa::path(get, path = "/api/v1/projects/{project}/plugins/{plugin}", tag = "plugins",
    params(("project" = String, Path), ("plugin" = String, Path), WhichPlugin),
    responses((status = 200, body = Plugin), (status = "4XX", body = Problem)))]
pub async fn get_plugin(
    State(state): State<ApiState>,
    Path((project, name)): Path<(Name, Name)>,
    Query(which): Query<WhichPlugin>,
) -> ApiResult<Json<Plugin>> {
    let row = state.ctx.store.plugin(&project, &name, which.version.as_deref(), None).await?;
    let missing = || {
        let detail = format!("project '{project}' has no plugin '{name}'; push it with `tiegel plugin push FILE.wasm`");
        ApiError::not_found("plugin_not_found", detail)
    };
    Ok(Json(plugin_of(row.ok_or_else(missing)?)))
}
