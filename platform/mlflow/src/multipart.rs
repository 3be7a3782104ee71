//! Uploads in parts, through this server: begun, sent part by part to URLs of our own, and completed.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{FromRequestParts, OriginalUri, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{post, put};
use axum::{Json, Router};
use serde_json::{Map, Value, json};
use tiegel_artifacts::{ArtifactPath, GivenPart};

use crate::artifact_proxy::{AnyPath, decoded};
use crate::params::{Params, invalid_because, missing};
use crate::wire::Answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError, MlflowResult};

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new()
        .route("/2.0/mlflow-artifacts/mpu/create/{*path}", post(create))
        .route("/2.0/mlflow-artifacts/mpu/complete/{*path}", post(complete))
        .route("/2.0/mlflow-artifacts/mpu/abort/{*path}", post(abort))
        .route("/2.0/mlflow-artifacts/mpu/parts/{upload_id}", axum::routing::get(parts))
        .route("/2.0/mlflow-artifacts/mpu/parts/{upload_id}/{number}", put(put_part))
}

async fn create(
    State(state): State<Mlflow>,
    workspace: Workspace,
    folder: AnyPath,
    reached: Reached,
    params: Params,
) -> MlflowResult<Answer> {
    let path = workspace.place(&state, destination(folder, &params)?).await?;
    let parts = params.int("num_parts")?.unwrap_or(1);
    let count = u32::try_from(parts)
        .map_err(|_| invalid_because("num_parts", &json!(parts), "an upload has at least one part"))?;
    let upload = state.artifacts.begin_upload(&path, count).await?;
    let Reached { base, sent } = reached;
    let base = base.ok_or_else(|| MlflowError::invalid("the request names no host"))?;
    let parts = (1..=upload.parts).map(|number| {
        let url = format!("{base}/api/2.0/mlflow-artifacts/mpu/parts/{}/{number}", upload.id);
        json!({ "url": url, "part_number": number, "headers": sent })
    });
    Ok(Answer(json!({ "upload_id": upload.id, "credentials": parts.collect::<Vec<_>>() })))
}

async fn put_part(
    State(state): State<Mlflow>,
    Path((upload, number)): Path<(String, String)>,
    body: Body,
) -> MlflowResult<Response> {
    let number: u32 = number.parse().map_err(|_| MlflowError::invalid(format!("'{number}' is no number of a part")))?;
    let digest = state.artifacts.put_part((&upload, number), body.into_data_stream()).await?;
    let tag = HeaderValue::from_str(&format!("\"{}\"", digest.hex())).map_err(MlflowError::internal)?;
    Ok([(header::ETAG, tag)].into_response())
}

/// What is stored of an upload, for a sender that goes on with it.
async fn parts(State(state): State<Mlflow>, Path(upload): Path<String>) -> MlflowResult<Json<Value>> {
    let stored = state.artifacts.stored_parts(&upload).await?;
    let part = |row: tiegel_store::PartRow| json!({ "part_number": row.number, "etag": format!("\"{}\"", row.digest.hex()), "size": row.bytes });
    Ok(Json(json!({ "upload_id": upload, "parts": stored.into_iter().map(part).collect::<Vec<_>>() })))
}

async fn complete(
    State(state): State<Mlflow>,
    workspace: Workspace,
    folder: AnyPath,
    params: Params,
) -> MlflowResult<Answer> {
    let path = workspace.place(&state, destination(folder, &params)?).await?;
    params.get("parts")?.ok_or_else(|| missing("parts"))?;
    let given = params.messages("parts")?.iter().enumerate().map(given_part).collect::<MlflowResult<Vec<_>>>()?;
    state.artifacts.complete_upload(&path, params.required_text("upload_id")?, given).await?;
    Ok(Answer(json!({})))
}

async fn abort(
    State(state): State<Mlflow>,
    workspace: Workspace,
    folder: AnyPath,
    params: Params,
) -> MlflowResult<Answer> {
    workspace.place(&state, destination(folder, &params)?).await?;
    state.artifacts.abort_upload(params.required_text("upload_id")?).await?;
    Ok(Answer(json!({})))
}

/// The file that a client names by the folder it goes to and its own path on the client's machine.
fn destination(folder: AnyPath, params: &Params) -> MlflowResult<ArtifactPath> {
    let folder = decoded(folder)?;
    let path = params.required_text("path")?;
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    // A name on a disk is not encoded: what looks like an escape is part of it, but is read as in any other path.
    Ok(folder.join(&ArtifactPath::decode_new(name)?))
}

fn given_part((at, part): (usize, &Params)) -> MlflowResult<GivenPart> {
    let number = part.required_int("part_number").map_err(|error| MlflowError {
        message: error.message.replace("'part_number'", &format!("'parts[{at}].part_number'")),
        ..error
    })?;
    let field = format!("parts[{at}].part_number");
    let number = u32::try_from(number).map_err(|_| invalid_because(&field, &json!(number), "parts count from 1"))?;
    let tag = part.text("etag")?.map(|tag| tag.trim_matches('"')).filter(|tag| !tag.is_empty());
    let digest = tag.map(str::parse).transpose().map_err(|_| {
        invalid_because(&format!("parts[{at}].etag"), &json!(tag), "it is not what storing the part answered")
    })?;
    Ok(GivenPart { number, digest })
}

/// How a client reached this server, so that it can be told URLs of its own.
struct Reached {
    base: Option<String>,
    sent: Map<String, Value>,
}

impl FromRequestParts<Mlflow> for Reached {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &Mlflow) -> Result<Self, Infallible> {
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, state).await?;
        Ok(Self { base: own_url(&parts.headers, &uri), sent: credential(&parts.headers) })
    }
}

/// Clients send parts without the credentials that they were given, so their own come back to them with each URL.
fn credential(headers: &HeaderMap) -> Map<String, Value> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.map(|value| ("Authorization".to_owned(), value.into())).into_iter().collect()
}

/// The URL under which the client reached this server, as far as a proxy in between has said it.
fn own_url(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let said = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?.split(',').next()?.trim();
        (!value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())).then(|| value.to_owned())
    };
    let scheme = said("x-forwarded-proto").filter(|scheme| scheme == "https").unwrap_or_else(|| "http".to_owned());
    let authority = uri.authority().map(ToString::to_string);
    let host = said("x-forwarded-host").or(authority).or_else(|| said("host"))?;
    let prefix = said("x-forwarded-prefix").unwrap_or_default();
    Some(format!("{scheme}://{host}{}", prefix.trim_end_matches('/')))
}

#[cfg(test)]
mod tests;
