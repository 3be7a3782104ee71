//! The Open Inference Protocol, version 2, over REST: the endpoints as KServe, Triton and their clients see them.
//!
//! Invariants: a model is an endpoint, and its versions are the one that is live; every error is the protocol's
//! `{"error": "…"}`; no shape that a client writes decides an allocation before it was checked. The binary tensor data
//! extension is not there, and is refused by name.

mod error;
mod infer;
mod metadata;
mod repository;
mod tensor;
#[cfg(test)]
mod tests;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tiegel_serving::Endpoints;
use tiegel_types::limits::BODY_BYTES_MAX;

use error::ProtocolError;

/// Everything under `/v2`, for any dialect of the Open Inference Protocol's clients.
pub fn router(endpoints: Endpoints) -> Router {
    Router::new()
        .route("/v2", get(metadata::server))
        .route("/v2/health/live", get(metadata::health))
        .route("/v2/health/ready", get(metadata::health))
        .route("/v2/models/{model}", get(metadata::model))
        .route("/v2/models/{model}/versions/{version}", get(metadata::model))
        .route("/v2/models/{model}/ready", get(metadata::model_ready))
        .route("/v2/models/{model}/versions/{version}/ready", get(metadata::model_ready))
        .route("/v2/models/{model}/infer", post(infer::infer))
        .route("/v2/models/{model}/versions/{version}/infer", post(infer::infer))
        .route("/v2/repository/index", post(repository::index))
        .method_not_allowed_fallback(async || ProtocolError::method_not_allowed())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(endpoints)
}
