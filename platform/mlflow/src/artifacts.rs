//! Files of runs, models and versions, by the tree that each has: listing, downloads, and the UI's small uploads.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use futures::stream;
use serde_json::{Map, Value, json};
use tiegel_artifacts::{ArtifactPath, Entry, Root};

use crate::params::{Params, missing};
use crate::wire::{Answer, of_query};
use crate::workspace::Workspace;
use crate::{ErrorCode, Mlflow, MlflowError, MlflowResult, download};

/// Bytes that the UI uploads at once.
const UPLOAD_BYTES_MAX: usize = 10 << 20;

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/artifacts/list", get(list))
        .route("/2.0/mlflow/logged-models/{model_id}/artifacts/directories", get(list_of_model))
}

/// What only the UI asks for, below `/ajax-api`.
pub(crate) fn for_ui() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow/upload-artifact", post(upload))
        .route("/2.0/mlflow/logged-models/{model_id}/artifacts/files", get(file_of_model))
}

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new().route("/get-artifact", get(file_of_run)).route("/model-versions/get-artifact", get(file_of_version))
}

async fn list(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let uri = run_uri(&state, &workspace, run_id(&params)?.ok_or_else(|| missing("run_id"))?).await?;
    listed(&state, uri, params.text("path")?.unwrap_or_default()).await
}

async fn list_of_model(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(model_id): Path<String>,
    params: Params,
) -> MlflowResult<Answer> {
    let folder = params.text("artifact_directory_path")?.unwrap_or_default().to_owned();
    let uri = model_uri(&state, &workspace, &model_id).await?;
    listed(&state, uri, &folder).await
}

async fn file_of_run(
    State(state): State<Mlflow>,
    workspace: Workspace,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> MlflowResult<Response> {
    let params = of_query(&query.unwrap_or_default())?;
    let path = ArtifactPath::decode(params.required_text("path")?)?;
    let uri = run_uri(&state, &workspace, run_id(&params)?.unwrap_or_default()).await?;
    sent(&state.artifacts.at(&uri)?, &path, &headers).await
}

async fn file_of_version(
    State(state): State<Mlflow>,
    workspace: Workspace,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> MlflowResult<Response> {
    let params = of_query(&query.unwrap_or_default())?;
    let path = ArtifactPath::decode(params.required_text("path")?)?;
    let (name, version) = (params.required_text("name")?, params.required_text("version")?);
    let uri = match version.parse() {
        Ok(number) => state.ctx.store.model_version_artifact_uri(&workspace.project, name, number).await?,
        Err(_) => {
            return Err(MlflowError::invalid("Model version must be an integer, got '".to_owned() + version + "'"));
        }
    };
    let uri =
        uri.ok_or_else(|| MlflowError::not_found(format!("Model Version (name={name}, version={version}) not found")))?;
    sent(&state.artifacts.at(&uri)?, &path, &headers).await
}

async fn file_of_model(
    State(state): State<Mlflow>,
    workspace: Workspace,
    Path(model_id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> MlflowResult<Response> {
    let params = of_query(&query.unwrap_or_default())?;
    let path = params.text("artifact_file_path")?.filter(|path| !path.is_empty()).ok_or_else(|| {
        MlflowError::new(ErrorCode::BadRequest, "Request must include the \"artifact_file_path\" query parameter.")
    })?;
    let path = ArtifactPath::decode(path)?;
    let uri = model_uri(&state, &workspace, &model_id).await?;
    sent(&state.artifacts.at(&uri)?, &path, &headers).await
}

async fn upload(
    State(state): State<Mlflow>,
    workspace: Workspace,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> MlflowResult<Response> {
    let params = of_query(&query.unwrap_or_default())?;
    let asked = |name: &str| -> MlflowResult<String> {
        let text = params.text(name)?.filter(|text| !text.is_empty());
        Ok(text.ok_or_else(|| MlflowError::invalid(format!("Request must specify {name}.")))?.to_owned())
    };
    let (run, path) = (asked("run_uuid")?, asked("path")?);
    let path = ArtifactPath::decode_new(&path)?;
    let bytes = small_body(&headers, body).await?;
    let uri = run_uri(&state, &workspace, &run).await?;
    let Root::Ours(artifacts, root) = state.artifacts.at(&uri)? else {
        let message = format!("the artifacts of run {run} are kept at {uri}: write the file there");
        return Err(MlflowError::invalid(message));
    };
    artifacts.put(&root.join(&path), stream::iter([Ok::<_, String>(bytes)])).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], StatusCode::OK).into_response())
}

async fn small_body(headers: &HeaderMap, body: Body) -> MlflowResult<Bytes> {
    let too_large = || MlflowError::invalid("Artifact size is too large. Max size is 10MB.");
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > UPLOAD_BYTES_MAX) {
        return Err(too_large());
    }
    let bytes = to_bytes(body, UPLOAD_BYTES_MAX).await.map_err(|_| too_large())?;
    if bytes.is_empty() { Err(MlflowError::invalid("Request must specify data.")) } else { Ok(bytes) }
}

/// What lies directly in a folder of a tree; paths are from the tree's root.
async fn listed(state: &Mlflow, root_uri: String, folder: &str) -> MlflowResult<Answer> {
    let folder = ArtifactPath::decode(folder)?;
    let entries = state.artifacts.at(&root_uri)?.list(&folder).await?;
    let prefix = if folder.is_root() { String::new() } else { format!("{folder}/") };
    let mut answer = Map::new();
    answer.insert("root_uri".to_owned(), root_uri.into());
    insert_files(&mut answer, &prefix, entries);
    Ok(Answer(answer.into()))
}

/// An empty list is left out, as everywhere in the protocol.
pub(crate) fn insert_files(answer: &mut Map<String, Value>, prefix: &str, entries: Vec<Entry>) {
    let file = |entry: Entry| match entry.bytes {
        Some(bytes) => json!({ "path": format!("{prefix}{}", entry.name), "is_dir": false, "file_size": bytes }),
        None => json!({ "path": format!("{prefix}{}", entry.name), "is_dir": true }),
    };
    if !entries.is_empty() {
        answer.insert("files".to_owned(), entries.into_iter().map(file).collect());
    }
}

/// A file of a tree as a download.
pub(crate) async fn sent(root: &Root, path: &ArtifactPath, headers: &HeaderMap) -> MlflowResult<Response> {
    download::send(&root.find(path).await?, headers).await
}

/// Both names of the field, as both are in use.
fn run_id(params: &Params) -> MlflowResult<Option<&str>> {
    let given = |name| Ok::<_, MlflowError>(params.text(name)?.filter(|text| !text.is_empty()));
    Ok(given("run_id")?.or(given("run_uuid")?))
}

pub(crate) async fn run_uri(state: &Mlflow, workspace: &Workspace, run: &str) -> MlflowResult<String> {
    let uri = state.ctx.store.run_artifact_uri(&workspace.project, run).await?;
    uri.ok_or_else(|| MlflowError::not_found(format!("Run with id={run} not found")))
}

pub(crate) async fn model_uri(state: &Mlflow, workspace: &Workspace, model_id: &str) -> MlflowResult<String> {
    let uri = state.ctx.store.logged_model_artifact_uri(&workspace.project, model_id).await?;
    uri.ok_or_else(|| MlflowError::not_found(format!("Logged model with ID '{model_id}' not found.")))
}

#[cfg(test)]
mod tests;
