//! URLs that let a client go to a bucket by itself, for the stores that have such URLs.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde_json::json;
use tiegel_artifacts::{Access, ArtifactPath, Root, proxied_path};

use crate::artifact_proxy::{AnyPath, decoded};
use crate::artifacts::{model_uri, run_uri};
use crate::params::{Params, missing};
use crate::wire::Answer;
use crate::workspace::Workspace;
use crate::{ErrorCode, Mlflow, MlflowError, MlflowResult};

/// How long a URL is good unless the client says.
const DOWNLOAD_SECONDS: i64 = 300;
const UPLOAD_SECONDS: i64 = 900;
/// What stores take at most.
const SECONDS_MAX: i64 = 7 * 24 * 60 * 60;

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow-artifacts/presigned/{*path}", get(proxied))
        .route("/2.0/mlflow/artifacts/presigned-download-url", post(download))
        .route("/2.0/mlflow/artifacts/presigned-upload-url", post(upload))
}

/// Of a file below `mlflow-artifacts:/`.
async fn proxied(State(state): State<Mlflow>, workspace: Workspace, path: AnyPath) -> MlflowResult<Answer> {
    let path = workspace.place(&state, decoded(path)?).await?;
    if !state.artifacts.can_sign() {
        return Err(unsupported("Multipart download"));
    }
    let found = state.artifacts.find(&path).await?;
    let signed = found.signed_url(Duration::from_secs(DOWNLOAD_SECONDS as u64)).await?;
    let signed = signed.ok_or_else(|| unsupported("Multipart download"))?;
    Ok(Answer(json!({ "url": signed.url, "headers": {}, "file_size": signed.bytes })))
}

async fn download(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let run = params.required_text("run_id")?;
    let path = ArtifactPath::decode(params.required_text("path")?)?;
    let valid = seconds(&params, DOWNLOAD_SECONDS)?;
    let uri = run_uri(&state, &workspace, run).await?;
    refuse_proxied(&uri, "download", "for runs with proxied artifact storage")?;
    let root = state.artifacts.at(&uri)?;
    if !root.can_sign() {
        return Err(unsupported("Presigned download"));
    }
    let signed = root.find(&path).await?.signed_url(valid).await?.ok_or_else(|| unsupported("Presigned download"))?;
    Ok(Answer(json!({ "presigned_url": signed.url, "file_size": signed.bytes })))
}

async fn upload(State(state): State<Mlflow>, workspace: Workspace, params: Params) -> MlflowResult<Answer> {
    let given = |name| Ok::<_, MlflowError>(params.text(name)?.filter(|text| !text.is_empty()));
    let path = params.text("path")?.filter(|text| !text.is_empty()).ok_or_else(|| missing("path"))?;
    let (run, model) = (given("run_id")?, given("model_id")?);
    let valid = seconds(&params, UPLOAD_SECONDS)?;
    let path = ArtifactPath::decode_new(path)?;
    let uri = match (run, model) {
        (Some(run), None) => run_uri(&state, &workspace, run).await?,
        (None, Some(model)) => model_uri(&state, &workspace, model).await?,
        _ => return Err(MlflowError::invalid("Exactly one of run_id and model_id must be provided.")),
    };
    refuse_proxied(&uri, "upload", "for proxied artifact storage")?;
    let signed = match state.artifacts.at(&uri)? {
        Root::Theirs(tree) => {
            tree.signed_url(Access::Write, path.as_str(), valid).await.map_err(MlflowError::internal)?
        }
        Root::Ours(..) => None,
    };
    let url = signed.ok_or_else(|| unsupported("Presigned upload"))?;
    Ok(Answer(json!({ "presigned_url": url })))
}

fn seconds(params: &Params, default: i64) -> MlflowResult<Duration> {
    let seconds = params.int("expiration")?.unwrap_or(default);
    if !(1..=SECONDS_MAX).contains(&seconds) {
        let message = format!("expiration must be between 1 and {SECONDS_MAX} seconds (got {seconds}).");
        return Err(MlflowError::invalid(message));
    }
    Ok(Duration::from_secs(seconds as u64))
}

fn refuse_proxied(uri: &str, what: &str, whose: &str) -> MlflowResult<()> {
    let scheme = uri.split(':').next().unwrap_or_default();
    if proxied_path(uri)?.is_none() && !matches!(scheme, "http" | "https") {
        return Ok(());
    }
    Err(MlflowError::invalid(format!(
        "Presigned {what} is not supported {whose} (artifact URI scheme: {scheme}). \
         This endpoint requires a direct cloud storage artifact URI."
    )))
}

/// Clients look for the beginning of this text and take the way through the server.
fn unsupported(what: &str) -> MlflowError {
    MlflowError::new(ErrorCode::NotImplemented, format!("{what} is not supported for the current artifact repository"))
}
