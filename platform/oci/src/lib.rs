//! The server as an OCI registry of plugins: the distribution specification's routes under `/v2/plugins`.
//!
//! Invariants: a handler extracts, calls one operation of `distribution` and maps its answer; every error is the
//! specification's `{"errors": […]}`. The other paths under `/v2` are the Open Inference Protocol's.

mod blobs;
mod error;
mod manifests;
mod place;
mod uploads;

use axum::Router;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tiegel_context::Ctx;
use tiegel_distribution::Registry;

use error::OciError;

const VERSION_HEADER: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const DIGEST_HEADER: HeaderName = HeaderName::from_static("docker-content-digest");
const UPLOAD_HEADER: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// All routes of the registry.
pub fn router(ctx: Ctx) -> Router {
    let repositories = Router::new()
        .route("/{project}/{name}/blobs/uploads/", post(uploads::begin))
        .route("/{project}/{name}/blobs/uploads", post(uploads::begin))
        .route(
            "/{project}/{name}/blobs/uploads/{what}",
            get(uploads::status).patch(uploads::append).put(uploads::complete).delete(uploads::abort),
        )
        .route("/{project}/{name}/blobs/{what}", get(blobs::get).head(blobs::head))
        .route(
            "/{project}/{name}/manifests/{what}",
            get(manifests::get).head(manifests::head).put(manifests::put).delete(manifests::delete),
        )
        .route("/{project}/{name}/tags/list", get(manifests::tags))
        .route("/{project}/{name}/referrers/{what}", get(manifests::referrers))
        .fallback(async || OciError::no_repository())
        .method_not_allowed_fallback(async || OciError::unsupported());
    Router::new()
        .route("/v2/", get(version))
        .nest("/v2/plugins", repositories)
        .layer(axum::middleware::map_response(say_version))
        .with_state(Registry::new(ctx))
}

async fn version() -> Response {
    axum::Json(serde_json::json!({})).into_response()
}

async fn say_version(mut response: Response) -> Response {
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static("registry/2.0"));
    response
}
