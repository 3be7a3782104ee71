use axum::extract::State;
use serde::{Deserialize, Serialize};
use tiegel_http::{Json, Problem, Query};
use tiegel_types::limits;
use utoipa::{IntoParams, ToSchema};

use crate::{ApiResult, ApiState};

#[derive(Serialize, ToSchema)]
pub struct AuditEntry {
    pub id: i64,
    pub at_ms: i64,
    pub actor: String,
    pub action: String,
    pub project: Option<String>,
    pub subject: String,
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListAudit {
    /// By default 100.
    limit: Option<u32>,
    /// Only entries older than this id.
    before: Option<i64>,
}

/// Who changed what, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "operations", params(ListAudit),
    responses((status = 200, body = Vec<AuditEntry>), (status = "4XX", body = Problem)))]
pub async fn list_audit(
    State(state): State<ApiState>,
    Query(list): Query<ListAudit>,
) -> ApiResult<Json<Vec<AuditEntry>>> {
    let limit = list.limit.unwrap_or(100).min(limits::PAGE_ROWS_MAX as u32);
    let rows = state.ctx.store.audit(limit, list.before).await?;
    let entry = |row: tiegel_store::AuditRow| AuditEntry {
        id: row.id,
        at_ms: row.at_ms,
        actor: row.actor,
        action: row.action,
        project: row.project.map(|p| p.to_string()),
        subject: row.subject,
        detail: row.detail,
    };
    Ok(Json(rows.into_iter().map(entry).collect()))
}
