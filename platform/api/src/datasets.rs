use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use tiegel_engine::ScanOptions;
use tiegel_http::{ApiError, Json, Path, Problem, Query};
use tiegel_project::{ApplyRequest, PostedDocument, RunRequest};
use tiegel_spec::{DatasetSpec, Source, SourceBlob, Spec};
use tiegel_store::DatasetVersionRow;
use tiegel_types::{Digest, Kind, Name, ResourceRef, SourceFormat, limits};
use utoipa::{IntoParams, ToSchema};

use crate::blobs::upload_failure;
use crate::jobs::{Job, job_of};
use crate::projects::ACTOR;
use crate::rows::{stream_rows, wanted_format};
use crate::{ApiResult, ApiState};

#[derive(Serialize, ToSchema)]
pub struct Dataset {
    #[schema(value_type = String)]
    pub name: Name,
    pub version: u32,
    #[schema(value_type = String)]
    pub digest: Digest,
    pub rows: u64,
    pub bytes: u64,
    pub created_ms: i64,
    #[schema(value_type = Vec<Object>)]
    pub schema: tiegel_types::Schema,
    /// One entry a column; absent for a pipeline's tables.
    #[schema(value_type = Option<Object>)]
    pub profile: Option<tiegel_types::Profile>,
    #[schema(value_type = Vec<Object>)]
    pub tests: Vec<tiegel_types::TestReport>,
}

fn dataset_of(row: DatasetVersionRow) -> Dataset {
    Dataset {
        name: row.name,
        version: row.version,
        digest: row.digest,
        rows: row.table.rows,
        bytes: row.table.files.iter().map(|f| f.bytes).sum(),
        created_ms: row.created_ms,
        schema: row.table.schema,
        profile: row.profile,
        tests: row.tests,
    }
}

/// The datasets of a project, pipelines' tables included, at their newest version.
#[utoipa::path(get, path = "/api/v1/projects/{project}/datasets", tag = "datasets", params(("project" = String, Path)),
    responses((status = 200, body = Vec<Dataset>), (status = "4XX", body = Problem)))]
pub async fn list_datasets(State(state): State<ApiState>, Path(project): Path<Name>) -> ApiResult<Json<Vec<Dataset>>> {
    let rows = state.ctx.store.datasets(&project).await?;
    Ok(Json(rows.into_iter().map(|row| Dataset { profile: None, ..dataset_of(row) }).collect()))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WhichVersion {
    /// By default the newest.
    version: Option<u32>,
}

async fn find(state: &ApiState, project: &Name, name: &Name, version: Option<u32>) -> ApiResult<DatasetVersionRow> {
    let row = state.ctx.store.dataset_version(project, name, version).await?;
    row.ok_or_else(|| {
        let which = version.map(|v| format!(" version {v}")).unwrap_or_default();
        let detail =
            format!("project '{project}' has no dataset '{name}'{which}; run it with `tiegel run dataset/{name}`");
        ApiError::not_found("dataset_not_found", detail).into()
    })
}

/// A dataset version with its schema and profile.
#[utoipa::path(get, path = "/api/v1/projects/{project}/datasets/{dataset}", tag = "datasets",
    params(("project" = String, Path), ("dataset" = String, Path), WhichVersion),
    responses((status = 200, body = Dataset), (status = "4XX", body = Problem)))]
pub async fn get_dataset(
    State(state): State<ApiState>,
    Path((project, name)): Path<(Name, Name)>,
    Query(which): Query<WhichVersion>,
) -> ApiResult<Json<Dataset>> {
    Ok(Json(dataset_of(find(&state, &project, &name, which.version).await?)))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct GetRows {
    version: Option<u32>,
    offset: Option<usize>,
    /// By default all.
    limit: Option<usize>,
    /// Names with commas between; by default all.
    columns: Option<String>,
}

/// Rows, as `Accept` asks: JSON, JSON lines, CSV, an Arrow IPC stream or Parquet.
#[utoipa::path(get, path = "/api/v1/projects/{project}/datasets/{dataset}/rows", tag = "datasets",
    params(("project" = String, Path), ("dataset" = String, Path), GetRows),
    responses((status = 200, description = "Rows"), (status = "4XX", body = Problem)))]
pub async fn get_rows(
    State(state): State<ApiState>,
    Path((project, name)): Path<(Name, Name)>,
    Query(get): Query<GetRows>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let format = wanted_format(&headers)?;
    let table = find(&state, &project, &name, get.version).await?.table;
    let mut schema = table.schema.clone();
    let columns: Option<Vec<String>> = get.columns.map(|c| c.split(',').map(|c| c.trim().to_owned()).collect());
    if let Some(columns) = &columns {
        if let Some(missing) = columns.iter().find(|c| schema.field(c).is_none()) {
            let known = schema.names().collect::<Vec<_>>().join(", ");
            return Err(ApiError::bad_request(
                "unknown_column",
                format!("there is no column '{missing}'; there is: {known}"),
            )
            .into());
        }
        let field = |name: &String| schema.field(name).cloned();
        schema = tiegel_types::Schema::new(columns.iter().filter_map(field).collect());
    }
    let options = ScanOptions {
        columns,
        batch_rows: 8_192,
        limit: get.limit,
        offset: get.offset.unwrap_or(0),
        ..ScanOptions::default()
    };
    let batches = state.ctx.tables.scan(&table, options);
    Ok(stream_rows(&state.ctx, &schema, batches, format))
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct UploadRows {
    /// `csv`, `parquet`, `json-lines` or `arrow-ipc`; by default from the file name's ending.
    #[param(value_type = Option<String>)]
    format: Option<SourceFormat>,
    /// What the file is called, in messages.
    file: Option<String>,
}

/// Makes a dataset of the body, or a new version of it, and queues the job that reads it. The dataset's declared types and
/// tests stay in force.
#[utoipa::path(post, path = "/api/v1/projects/{project}/datasets/{dataset}/rows", tag = "datasets",
    params(("project" = String, Path), ("dataset" = String, Path), UploadRows),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 202, body = Job), (status = "4XX", body = Problem)))]
pub async fn upload_rows(
    State(state): State<ApiState>,
    Path((project, name)): Path<(Name, Name)>,
    Query(upload): Query<UploadRows>,
    body: Body,
) -> ApiResult<(StatusCode, Json<Job>)> {
    if upload.format.is_none() && upload.file.is_none() {
        let detail =
            "say what the body is: add ?format=csv (or parquet, json-lines, arrow-ipc), or ?file=NAME with an ending";
        return Err(ApiError::bad_request("unknown_format", detail).into());
    }
    let stream = body.into_data_stream().map_err(std::io::Error::other);
    let stored = state.ctx.blobs.put_stream(stream, None, limits::UPLOAD_BYTES_MAX).await;
    let (digest, bytes) = stored.map_err(|error| upload_failure(&error))?;
    let path = upload.file.unwrap_or_else(|| name.to_string());
    let source = Source { format: upload.format, files: vec![SourceBlob { path, digest, bytes }], ..Source::default() };
    let spec = match state.ctx.store.resource(&project, Kind::Dataset, &name).await? {
        Some(row) => {
            let mut spec = row.spec;
            spec["source"] = serde_json::json!(source);
            spec
        }
        None => Spec::Dataset(DatasetSpec {
            description: None,
            source,
            columns: Default::default(),
            null_values: vec![],
            tests: vec![],
        })
        .to_json(),
    };
    let document = PostedDocument { kind: Kind::Dataset, name: name.clone(), spec };
    let request = ApplyRequest { documents: vec![document], prune: false, serial: None };
    tiegel_project::apply(&state.ctx, &project, &request, ACTOR).await?;
    let target = ResourceRef::new(Kind::Dataset, name);
    let job = tiegel_project::queue_run(&state.ctx, &project, RunRequest { target, no_cache: false }).await?;
    Ok((StatusCode::ACCEPTED, Json(job_of(job, vec![]))))
}
