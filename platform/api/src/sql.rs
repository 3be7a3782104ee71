use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use serde::Deserialize;
use tiegel_context::OpError;
use tiegel_engine::QueryRequest;
use tiegel_http::{ApiError, Json, Path, Problem};
use tiegel_types::Name;
use utoipa::ToSchema;

use crate::rows::{stream_rows, wanted_format};
use crate::{ApiResult, ApiState};

/// Lets a client see that an answer may have been cut: it has as many rows as this says.
const ROWS_MAX_HEADER: HeaderName = HeaderName::from_static("x-tiegel-rows-max");

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlQuery {
    /// One SELECT over the project's datasets; a pipeline's table is `"pipeline.step"`.
    pub sql: String,
    /// By default and at most what the server's config allows.
    pub rows_max: Option<usize>,
}

/// Explores the project's datasets with read-only SQL; rows as `Accept` asks. `x-tiegel-rows-max` says after how many rows
/// the answer stops.
#[utoipa::path(post, path = "/api/v1/projects/{project}/sql", tag = "sql", params(("project" = String, Path)),
    request_body = SqlQuery, responses((status = 200, description = "Rows"), (status = "4XX", body = Problem)))]
pub async fn query(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    headers: HeaderMap,
    Json(query): Json<SqlQuery>,
) -> ApiResult<Response> {
    let format = wanted_format(&headers)?;
    let mut tables = BTreeMap::new();
    for name in state.ctx.tables.references(&query.sql).map_err(OpError::from)? {
        let row = match Name::new(name.clone()) {
            Ok(dataset) => state.ctx.store.dataset_version(&project, &dataset, None).await?,
            Err(_) => None,
        };
        let missing =
            || ApiError::not_found("dataset_not_found", format!("project '{project}' has no dataset '{name}'"));
        tables.insert(name.clone(), row.ok_or_else(missing)?.table);
    }
    let rows_max = query.rows_max.unwrap_or(state.query.rows_max).min(state.query.rows_max);
    let seconds = state.query.seconds_max;
    let answer = state.ctx.tables.query(QueryRequest { sql: query.sql, tables, rows_max });
    let (schema, batches) = tokio::time::timeout(Duration::from_secs(seconds), answer)
        .await
        .map_err(|_| OpError::Limit(format!("the query took more than {seconds} s; narrow it down")))?
        .map_err(OpError::from)?;
    let mut response = stream_rows(&state.ctx, &schema, batches, format);
    response.headers_mut().insert(ROWS_MAX_HEADER, HeaderValue::from(rows_max));
    Ok(response)
}
