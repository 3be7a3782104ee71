use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tiegel_gc::{Age, Collected, Pass};
use tiegel_http::{Json, Problem};
use tiegel_store::NewAudit;
use utoipa::ToSchema;

use crate::projects::ACTOR;
use crate::{ApiResult, ApiState};

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CollectGarbage {
    /// Only answer what would go.
    pub dry_run: bool,
    /// Only what was deleted this long ago, such as `30d` or `2d8h`; by default all that is deleted.
    pub older_than: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub struct CollectedGarbage {
    pub dry_run: bool,
    pub runs: u64,
    pub experiments: u64,
    pub logged_models: u64,
    /// Of the experiments.
    pub traces: u64,
    /// Files of all these, by name.
    pub files: u64,
    /// Uploads in parts that were not completed.
    pub uploads: u64,
    /// Stored contents that nothing names any more, but for those of the last day.
    pub blobs: u64,
    /// Of the blobs.
    pub bytes: u64,
}

/// Removes deleted runs, experiments and logged models for good, with their files, and contents that nothing names.
#[utoipa::path(post, path = "/api/v1/gc", tag = "operations", request_body = CollectGarbage,
    responses((status = 200, body = CollectedGarbage), (status = "4XX", body = Problem)))]
pub async fn collect(
    State(state): State<ApiState>,
    Json(request): Json<CollectGarbage>,
) -> ApiResult<Json<CollectedGarbage>> {
    let CollectGarbage { dry_run, older_than } = request;
    let age: Age = older_than.as_deref().map(str::parse).transpose()?.unwrap_or_default();
    let collected = state.collector.collect(Pass { older_than: Some(age), dry_run }).await?;
    if !dry_run {
        let audit = NewAudit {
            at_ms: state.ctx.now_ms(),
            actor: ACTOR.to_owned(),
            action: "gc.collect".to_owned(),
            project: None,
            subject: "deleted things".to_owned(),
            detail: json!({ "older_than": older_than, "collected": collected }),
        };
        state.ctx.store.record_audit(audit).await?;
    }
    let Collected { runs, experiments, logged_models, traces, files, uploads, blobs, bytes } = collected;
    Ok(Json(CollectedGarbage { dry_run, runs, experiments, logged_models, traces, files, uploads, blobs, bytes }))
}
