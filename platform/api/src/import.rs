use axum::extract::State;
use serde::{Deserialize, Serialize};
use tiegel_http::{ApiError, Json, Path, Problem};
use tiegel_store::{Change, Imported, ToCount};
use tiegel_types::Name;
use tiegel_types::transfer::{Counts, Record};
use utoipa::ToSchema;

use crate::projects::ACTOR;
use crate::{ApiResult, ApiState};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRecords {
    /// Experiments before their runs, a run before its series; `{"experiment": {…}}`, `{"run": {…}}` and so on.
    #[schema(value_type = Vec<Object>)]
    pub records: Vec<Record>,
}

#[derive(Serialize, ToSchema)]
pub struct ImportedRecords {
    /// The number that each experiment has here, by the one that it has at the source.
    pub experiments: std::collections::BTreeMap<String, i64>,
}

/// Writes what another server tracked, with its ids and times, all or none. Writing it again changes nothing.
#[utoipa::path(post, path = "/api/v1/projects/{project}/import", tag = "import", params(("project" = String, Path)),
    request_body = ImportRecords, responses((status = 200, body = ImportedRecords), (status = "4XX", body = Problem)))]
pub async fn import_records(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    Json(request): Json<ImportRecords>,
) -> ApiResult<Json<ImportedRecords>> {
    let uneven = request.records.iter().find(|r| matches!(r, Record::Series(series) if !series.points.is_even()));
    if let Some(Record::Series(series)) = uneven {
        let detail = format!("the columns of series '{}' of run {} differ in length", series.key, series.run_id);
        return Err(ApiError::unprocessable("invalid_series", detail).into());
    }
    let change = Change { actor: ACTOR.to_owned(), at_ms: state.ctx.now_ms(), project: project.clone() };
    let Imported { experiments } = state.ctx.store.import(&project, request.records, change).await?;
    let experiments = experiments.into_iter().map(|(source, id)| (source.to_string(), id)).collect();
    Ok(Json(ImportedRecords { experiments }))
}

/// Counts what a project has of the things that are named, to compare with where they came from.
#[utoipa::path(post, path = "/api/v1/projects/{project}/import/counts", tag = "import",
    params(("project" = String, Path)), request_body = Object,
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub async fn count_imported(
    State(state): State<ApiState>,
    Path(project): Path<Name>,
    Json(wanted): Json<ToCount>,
) -> ApiResult<Json<Counts>> {
    Ok(Json(state.ctx.store.import_counts(&project, wanted).await?))
}
