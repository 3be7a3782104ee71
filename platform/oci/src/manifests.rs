use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tiegel_distribution::{Code, INDEX_TYPE, MANIFEST_BYTES_MAX, MANIFEST_TYPE, Registry};
use tiegel_store::ManifestRow;
use tiegel_types::limits;

use crate::DIGEST_HEADER;
use crate::error::{OciError, OciResult};
use crate::place::Place;

const SUBJECT_HEADER: HeaderName = HeaderName::from_static("oci-subject");
const FILTERS_HEADER: HeaderName = HeaderName::from_static("oci-filters-applied");

fn about(row: &ManifestRow) -> impl axum::response::IntoResponseParts + use<> {
    [
        (DIGEST_HEADER, row.digest.to_string()),
        (header::CONTENT_TYPE, MANIFEST_TYPE.to_owned()),
        (header::CONTENT_LENGTH, row.bytes.to_string()),
    ]
}

pub(crate) async fn head(State(registry): State<Registry>, place: Place) -> OciResult<Response> {
    let row = registry.manifest(&place.repository, &place.reference()?).await?;
    Ok((about(&row), ()).into_response())
}

pub(crate) async fn get(State(registry): State<Registry>, place: Place) -> OciResult<Response> {
    let row = registry.manifest(&place.repository, &place.reference()?).await?;
    let bytes = registry.manifest_bytes(&row).await?;
    Ok((about(&row), bytes).into_response())
}

pub(crate) async fn put(
    State(registry): State<Registry>,
    place: Place,
    headers: HeaderMap,
    body: Body,
) -> OciResult<Response> {
    let reference = place.reference()?;
    let body = to_bytes(body, MANIFEST_BYTES_MAX).await.map_err(|_| {
        OciError::new(Code::SizeInvalid, format!("a manifest has at most {} MiB", MANIFEST_BYTES_MAX >> 20))
    })?;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let pushed = registry.push(&place.repository, &reference, (content_type, body)).await?;
    let digest = pushed.digest.to_string();
    let location = place.path(&format!("manifests/{digest}"));
    let mut response = (StatusCode::CREATED, [(header::LOCATION, location), (DIGEST_HEADER, digest)]).into_response();
    if let Some(Ok(subject)) = pushed.subject.map(|subject| subject.to_string().parse()) {
        response.headers_mut().insert(SUBJECT_HEADER, subject);
    }
    Ok(response)
}

pub(crate) async fn delete(State(registry): State<Registry>, place: Place) -> OciResult<StatusCode> {
    registry.delete(&place.repository, &place.reference()?).await?;
    Ok(StatusCode::ACCEPTED)
}

#[derive(Deserialize)]
pub(crate) struct Page {
    n: Option<usize>,
    last: Option<String>,
}

pub(crate) async fn tags(
    State(registry): State<Registry>,
    place: Place,
    Query(page): Query<Page>,
) -> OciResult<Response> {
    let mut tags = registry.tags(&place.repository).await?;
    if let Some(last) = &page.last {
        tags.retain(|tag| tag > last);
    }
    let rows = page.n.unwrap_or(limits::PAGE_ROWS_MAX).min(limits::PAGE_ROWS_MAX);
    let is_cut = tags.len() > rows;
    tags.truncate(rows);
    let name = format!("plugins/{}/{}", place.repository.project, place.repository.plugin);
    let next = tags.last().filter(|_| is_cut).map(|last| place.path(&format!("tags/list?n={rows}&last={last}")));
    let body = Json(json!({ "name": name, "tags": tags }));
    Ok(match next {
        Some(next) => ([(header::LINK, format!("<{next}>; rel=\"next\""))], body).into_response(),
        None => body.into_response(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filter {
    artifact_type: Option<String>,
}

pub(crate) async fn referrers(
    State(registry): State<Registry>,
    place: Place,
    Query(filter): Query<Filter>,
) -> OciResult<Response> {
    let mut manifests = registry.referrers(&place.repository, &place.digest()?).await?;
    let mut response_headers = HeaderMap::new();
    if let Some(wanted) = &filter.artifact_type {
        manifests.retain(|manifest| manifest.artifact_type.as_ref() == Some(wanted));
        response_headers.insert(FILTERS_HEADER, header::HeaderValue::from_static("artifactType"));
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests });
    Ok((response_headers, [(header::CONTENT_TYPE, INDEX_TYPE)], index.to_string()).into_response())
}
