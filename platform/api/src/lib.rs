//! The native API under `/api/v1`. The router is the OpenAPI document.
//!
//! Invariant: a handler extracts, calls one domain operation and maps its answer; it decides nothing else.

mod audit;
mod blobs;
mod datasets;
mod documents;
mod endpoints;
mod failure;
mod gc;
mod import;
mod jobs;
mod models;
mod operations;
mod overview;
mod plugins;
mod projects;
mod rows;
mod runs;
mod sql;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use tiegel_context::Ctx;
use tiegel_gc::Collector;
use tiegel_http::{Bounds, bounded};
use tiegel_jobs::ReconcilerHandle;
use tiegel_project::Progress;
use tiegel_serving::Endpoints;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use failure::{ApiResult, Failure};

#[derive(Clone)]
pub struct ApiState {
    pub ctx: Ctx,
    pub endpoints: Endpoints,
    /// Told when an endpoint may have to change.
    pub reconciler: ReconcilerHandle,
    pub collector: Arc<Collector>,
    pub progress: Progress,
    /// Folders that `file://` sources may read.
    pub source_roots: Arc<Vec<PathBuf>>,
    pub query: QueryLimits,
    pub version: &'static str,
}

#[derive(Clone, Copy, Debug)]
pub struct QueryLimits {
    pub rows_max: usize,
    pub seconds_max: u64,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Tiegel",
    description = "Experiments, pipelines, training and serving in one binary.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Document;

/// Routes that carry files or streams, or take their time, set their own bounds.
fn streaming() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(blobs::put_blob, blobs::head_blob))
        .routes(routes!(plugins::push_plugin, plugins::list_plugins))
        .routes(routes!(datasets::get_rows, datasets::upload_rows))
        .routes(routes!(sql::query))
        .routes(routes!(gc::collect))
}

fn bounded_routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(operations::version))
        .routes(routes!(operations::live))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics))
        .routes(routes!(overview::overview))
        .routes(routes!(projects::list_projects))
        .routes(routes!(documents::parse_documents))
        .routes(routes!(projects::plan))
        .routes(routes!(projects::apply))
        .routes(routes!(projects::export))
        .routes(routes!(jobs::start_run, jobs::list_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(jobs::why_step))
        .routes(routes!(datasets::list_datasets))
        .routes(routes!(datasets::get_dataset))
        .routes(routes!(plugins::get_plugin))
        .routes(routes!(plugins::deprecate_plugin))
        .routes(routes!(runs::list_runs))
        .routes(routes!(runs::get_run))
        .routes(routes!(models::list_models))
        .routes(routes!(models::get_version))
        .routes(routes!(models::set_alias))
        .routes(routes!(endpoints::list_endpoints))
        .routes(routes!(endpoints::predict))
        .routes(routes!(audit::list_audit))
        .routes(routes!(import::import_records))
        .routes(routes!(import::count_imported))
}

pub fn router(state: ApiState) -> Router {
    let (streaming, _) = streaming().with_state(state.clone()).split_for_parts();
    let (bounded_router, _) = bounded_routes().with_state(state).split_for_parts();
    let document = openapi();
    let serve_document = move || {
        let document = document.clone();
        async move { axum::Json(document) }
    };
    bounded(bounded_router, Bounds::default())
        .merge(streaming)
        .route("/api/v1/openapi.json", axum::routing::get(serve_document))
}

/// The OpenAPI document of every route here.
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = streaming().into_openapi();
    document.merge(bounded_routes().into_openapi());
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document
}
