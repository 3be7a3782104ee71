use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt as _;
use serde::Deserialize;
use tiegel_distribution::{CHUNK_BYTES_MIN, Chunk, Code, Registry, Session};
use tiegel_types::Digest;

use crate::error::{OciError, OciResult};
use crate::place::{Place, digest, named};
use crate::{DIGEST_HEADER, UPLOAD_HEADER};

const CHUNK_HEADER: header::HeaderName = header::HeaderName::from_static("oci-chunk-min-length");

#[derive(Deserialize)]
pub(crate) struct Begin {
    digest: Option<String>,
    mount: Option<String>,
    from: Option<String>,
}

/// A whole blob, one that another repository has, or the beginning of an upload.
pub(crate) async fn begin(
    State(registry): State<Registry>,
    place: Place,
    Query(query): Query<Begin>,
    body: Body,
) -> OciResult<Response> {
    if let Some(expected) = &query.digest {
        let expected = digest(expected)?;
        let body = body.into_data_stream().map_err(std::io::Error::other);
        registry.put_blob(&place.repository, expected, body).await?;
        return Ok(created(&place, expected));
    }
    if let (Some(mount), Some(from)) = (&query.mount, &query.from)
        && let Some(from) = named(from)
    {
        let mount = digest(mount)?;
        if registry.mount(&place.repository, &mount, &from).await? {
            return Ok(created(&place, mount));
        }
    }
    let session = registry.begin_upload(&place.repository).await?;
    Ok((StatusCode::ACCEPTED, progress(&place, &session), ()).into_response())
}

pub(crate) async fn status(State(registry): State<Registry>, place: Place) -> OciResult<Response> {
    let session = registry.upload(&place.repository, &place.what).await?;
    Ok((StatusCode::NO_CONTENT, progress(&place, &session), ()).into_response())
}

pub(crate) async fn append(
    State(registry): State<Registry>,
    place: Place,
    headers: HeaderMap,
    body: Body,
) -> OciResult<Response> {
    match add(&registry, &place, (&headers, body)).await {
        Ok(session) => Ok((StatusCode::ACCEPTED, progress(&place, &session), ()).into_response()),
        Err(error) => explain(&registry, &place, error).await,
    }
}

#[derive(Deserialize)]
pub(crate) struct Complete {
    digest: Option<String>,
}

pub(crate) async fn complete(
    State(registry): State<Registry>,
    place: Place,
    Query(query): Query<Complete>,
    request: (HeaderMap, Body),
) -> OciResult<Response> {
    let none = || OciError::new(Code::DigestInvalid, "an upload is completed with ?digest=sha256:…");
    let expected = digest(query.digest.as_deref().ok_or_else(none)?)?;
    let (headers, body) = request;
    if let Err(error) = add(&registry, &place, (&headers, body)).await {
        return explain(&registry, &place, error).await;
    }
    registry.complete(&place.repository, &place.what, expected).await?;
    Ok(created(&place, expected))
}

pub(crate) async fn abort(State(registry): State<Registry>, place: Place) -> OciResult<StatusCode> {
    registry.abort(&place.repository, &place.what).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add(registry: &Registry, place: &Place, (headers, body): (&HeaderMap, Body)) -> OciResult<Session> {
    let range = headers.get(header::CONTENT_RANGE).map(|value| {
        let chunk = value.to_str().ok().and_then(chunk);
        chunk.ok_or_else(|| OciError::new(Code::BlobUploadInvalid, "Content-Range is FIRST-LAST, both in bytes"))
    });
    let body = body.into_data_stream().map_err(std::io::Error::other);
    Ok(registry.append(&place.repository, (&place.what, range.transpose()?), body).await?)
}

/// Who sent a chunk out of order is told how far the upload is.
async fn explain(registry: &Registry, place: &Place, error: OciError) -> OciResult<Response> {
    if error.0.code != Code::OutOfOrder {
        return Err(error);
    }
    let session = registry.upload(&place.repository, &place.what).await?;
    Ok((progress(place, &session), error).into_response())
}

/// `FIRST-LAST`, with or without its unit and the total.
fn chunk(text: &str) -> Option<Chunk> {
    let range = text.strip_prefix("bytes").map_or(text, |rest| rest.trim_start_matches(['=', ' ']));
    let range = range.split_once('/').map_or(range, |(range, _)| range);
    let (first, last) = range.split_once('-')?;
    Some(Chunk { first: first.trim().parse().ok()?, last: last.trim().parse().ok()? })
}

fn progress(place: &Place, session: &Session) -> impl axum::response::IntoResponseParts + use<> {
    [
        (header::LOCATION, place.path(&format!("blobs/uploads/{}", session.id))),
        (header::RANGE, format!("0-{}", session.bytes.saturating_sub(1))),
        (UPLOAD_HEADER, session.id.clone()),
        (CHUNK_HEADER, CHUNK_BYTES_MIN.to_string()),
    ]
}

fn created(place: &Place, digest: Digest) -> Response {
    let location = place.path(&format!("blobs/{digest}"));
    let headers = [(header::LOCATION, location), (DIGEST_HEADER, digest.to_string())];
    (StatusCode::CREATED, headers).into_response()
}
