//! The store of artifacts that clients read and write through this server: everything below `mlflow-artifacts:/`.

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde_json::{Map, json};
use tiegel_artifacts::ArtifactPath;

use crate::artifacts::insert_files;
use crate::params::Params;
use crate::wire::Answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult, download};

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow-artifacts/artifacts", get(list))
        .route("/2.0/mlflow-artifacts/artifacts/", get(root_is_no_file))
        .route("/2.0/mlflow-artifacts/artifacts/{*path}", get(read).put(write).delete(remove))
}

/// The wildcard of a route, decoded once.
pub(crate) type AnyPath = Result<Path<String>, PathRejection>;

/// What a client asks for or makes at a wildcard, in its own words.
pub(crate) fn decoded(path: AnyPath) -> MlflowResult<ArtifactPath> {
    Ok(ArtifactPath::decode(&text(path)?)?)
}

/// Text that is no text has no place either.
fn text(path: AnyPath) -> MlflowResult<String> {
    path.map(|Path(path)| path).map_err(|_| MlflowError::invalid("Invalid path"))
}

async fn list(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let folder = ArtifactPath::decode(params.text("path")?.unwrap_or_default())?;
    let folder = workspace.place(&state, folder).await?;
    let mut answer = Map::new();
    // From the folder that was asked for, unlike the paths of a run's own listing.
    insert_files(&mut answer, "", state.artifacts.list(&folder).await?);
    Ok(Answer(answer.into()))
}

async fn root_is_no_file(State(state): State<Mlflow>) -> MlflowResult<Response> {
    download::send(&state.artifacts.find(&ArtifactPath::default()).await?, &HeaderMap::new()).await
}

async fn read(
    State(state): State<Mlflow>,
    workspace: Workspace,
    path: AnyPath,
    headers: HeaderMap,
) -> MlflowResult<Response> {
    let path = workspace.place(&state, decoded(path)?).await?;
    download::send(&state.artifacts.find(&path).await?, &headers).await
}

async fn write(State(state): State<Mlflow>, workspace: Workspace, path: AnyPath, body: Body) -> MlflowResult<Response> {
    let text = text(path)?;
    if text.ends_with('/') {
        return Err(MlflowError::invalid("Artifact path must include a filename (cannot end with '/')."));
    }
    let path = workspace.place(&state, ArtifactPath::decode_new(&text)?).await?;
    state.artifacts.put(&path, body.into_data_stream()).await?;
    Ok(StatusCode::OK.into_response())
}

async fn remove(State(state): State<Mlflow>, workspace: Workspace, path: AnyPath) -> MlflowResult<Answer> {
    let path = workspace.place(&state, decoded(path)?).await?;
    state.artifacts.delete(&path).await?;
    Ok(Answer(json!({})))
}

#[cfg(test)]
mod tests;
