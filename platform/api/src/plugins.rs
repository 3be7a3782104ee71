use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use tiegel_context::{Ctx, PluginUpload};
use tiegel_http::{ApiError, Json, Path, Problem, Query};
use tiegel_signing::Signature;
use tiegel_store::{Deprecation, PluginRow, StoredSignature};
use tiegel_types::{Digest, Name, PluginDescriptor, limits};
use utoipa::{IntoParams, ToSchema};

use crate::failure::malformed;
use crate::projects::ACTOR;
use crate::{ApiResult, ApiState};

/// Holds a signature of the component that is sent.
const SIGNATURE_HEADER: &str = "tiegel-signature";
const REASON_BYTES_MAX: usize = 1 << 10;

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
    /// Why no new step should use it, where somebody said so. It stays usable.
    pub deprecation: Option<String>,
    pub signed_by: Vec<Signer>,
}

/// A key whose signature of the component was verified.
#[derive(Serialize, ToSchema)]
pub struct Signer {
    /// In base64.
    pub key: String,
    /// What this server's configuration calls the key, where it is trusted.
    pub trusted_as: Option<String>,
}

async fn plugins_of(ctx: &Ctx, rows: Vec<PluginRow>) -> ApiResult<Vec<Plugin>> {
    let digests: Vec<Digest> = rows.iter().map(|row| row.digest).collect();
    let signatures = ctx.store.signatures(&digests).await?;
    let signer = |digest: &Digest, stored: &StoredSignature| {
        let signature: Signature = stored.signature.parse().ok()?;
        signature.verify(digest).ok()?;
        let trusted_as = ctx.trust.name_of(&signature.key()).map(str::to_owned);
        Some(Signer { key: signature.key().to_string(), trusted_as })
    };
    let plugin = |row: PluginRow| {
        let PluginRow { project: _, name, version, digest, bytes, created_ms, descriptor, deprecation } = row;
        let stored = signatures.get(&digest).map(Vec::as_slice).unwrap_or_default();
        let signed_by = stored.iter().filter_map(|stored| signer(&digest, stored)).collect();
        Plugin { name, version, digest, bytes, created_ms, descriptor, deprecation, signed_by }
    };
    Ok(rows.into_iter().map(plugin).collect())
}

async fn plugin_of(ctx: &Ctx, row: PluginRow) -> ApiResult<Plugin> {
    let mut plugins = plugins_of(ctx, vec![row]).await?;
    Ok(plugins.remove(0))
}

/// Pushes a component. Its name and version are the ones it says itself; a version never changes.
///
/// Signatures come in headers `tiegel-signature`, as `tiegel plugin sign` writes them.
#[utoipa::path(post, path = "/api/v1/projects/{project}/plugins", tag = "plugins", params(("project" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = Plugin), (status = "4XX", body = Problem)))]
pub async fn push_plugin(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult<(StatusCode, Json<Plugin>)> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().parse::<Signature>();
    let signatures = headers.get_all(SIGNATURE_HEADER).iter().map(text);
    let signatures = signatures.collect::<Result<_, _>>().map_err(malformed)?;
    let wasm = to_bytes(body, limits::PLUGIN_BYTES_MAX).await.map_err(|_| {
        let detail = format!("a plugin has at most {} MiB", limits::PLUGIN_BYTES_MAX >> 20);
        ApiError::payload_too_large("plugin_too_large", detail)
    })?;
    let upload = PluginUpload { project, wasm: wasm.to_vec(), signatures };
    let row = state.ctx.install_plugin(upload, |_| Ok(())).await?;
    Ok((StatusCode::CREATED, Json(plugin_of(&state.ctx, row).await?)))
}

/// The plugins of a project.
#[utoipa::path(get, path = "/api/v1/projects/{project}/plugins", tag = "plugins", params(("project" = String, Path)),
    responses((status = 200, body = Vec<Plugin>), (status = "4XX", body = Problem)))]
pub async fn list_plugins(State(state): State<ApiState>, Path(project): Path<Name>) -> ApiResult<Json<Vec<Plugin>>> {
    Ok(Json(plugins_of(&state.ctx, state.ctx.store.plugins(&project).await?).await?))
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
    Ok(Json(plugin_of(&state.ctx, row.ok_or_else(missing)?).await?))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deprecate {
    /// What to use instead, for people. Where it is left out, the version may be used again.
    pub reason: Option<String>,
}

/// Says that no new step should use a version. It stays usable; plan and apply warn.
#[utoipa::path(put, path = "/api/v1/projects/{project}/plugins/{plugin}/versions/{version}/deprecation",
    tag = "plugins", params(("project" = String, Path), ("plugin" = String, Path), ("version" = String, Path)),
    request_body = Deprecate, responses((status = 204, description = "Said"), (status = "4XX", body = Problem)))]
pub async fn deprecate_plugin(
    State(state): State<ApiState>,
    Path((project, name, version)): Path<(Name, Name, String)>,
    Json(body): Json<Deprecate>,
) -> ApiResult<StatusCode> {
    let reason = body.reason;
    if reason.as_ref().is_some_and(|reason| reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX) {
        return Err(malformed(format!("a reason has 1 to {REASON_BYTES_MAX} bytes: say what to use instead")));
    }
    let (actor, at_ms) = (ACTOR.to_owned(), state.ctx.now_ms());
    state.ctx.store.deprecate_plugin(Deprecation { project, name, version, reason, actor, at_ms }).await?;
    Ok(StatusCode::NO_CONTENT)
}
