//! MLflow's REST interface: what its unmodified clients send and expect, over the platform's own operations.
//!
//! Invariants: a permanent error never answers a 5xx status, because clients retry those and a training would hang; a
//! request that is repeated has no second effect; what a route cannot do it refuses by name. Each route of the protocol
//! is served under `/api` and `/ajax-api`, and an optional prefix stands in front of both.

mod artifact_proxy;
mod artifacts;
mod assessments;
mod batch;
mod caller;
mod download;
mod error;
mod evaluation_datasets;
mod experiments;
mod inputs;
mod location;
mod logged_models;
mod logging;
mod metrics;
mod model_versions;
mod multipart;
mod operations;
mod otlp;
mod params;
mod presigned;
mod proto_json;
mod registered_models;
mod registry;
mod render;
mod runs;
mod scorers;
mod search;
#[cfg(test)]
mod testing;
mod traces;
mod traces_v2;
#[cfg(test)]
mod tracking_tests;
mod validate;
mod webhooks;
mod wire;
mod workspace;
mod workspaces;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tiegel_artifacts::Artifacts;
use tiegel_context::Ctx;
use tiegel_registry::WebhookSender;

pub use error::{ErrorCode, MlflowError, MlflowResult};

/// Bytes of a JSON body: a batch of 1,000 metrics with long keys fits many times.
const BODY_BYTES_MAX: usize = 64 << 20;

/// What every handler is given.
#[derive(Clone)]
pub struct Mlflow {
    pub ctx: Ctx,
    /// Where experiments without a location of their own keep artifacts: `mlflow-artifacts:/`, unless configured.
    pub default_artifact_root: String,
    pub artifacts: Artifacts,
    pub registry: Registry,
}

/// What the registry needs beside the store.
#[derive(Clone)]
pub struct Registry {
    pub sender: WebhookSender,
    /// Called after each change: endpoints may have to follow an alias, and webhooks to be told.
    pub on_change: Arc<dyn Fn() + Send + Sync>,
}

impl Registry {
    pub(crate) fn changed(&self) {
        (self.on_change)();
    }
}

/// All routes of the dialect.
pub fn router(state: Mlflow) -> Router {
    let protocol = protocol();
    Router::new()
        .nest("/api", protocol.clone())
        .nest("/ajax-api", protocol.merge(artifacts::for_ui()))
        .merge(operations::routes())
        .merge(otlp::routes())
        .merge(artifacts::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(state)
}

/// The routes below `/api` and `/ajax-api`, such as `/2.0/mlflow/runs/create`.
fn protocol() -> Router<Mlflow> {
    Router::new()
        .merge(operations::protocol())
        .merge(registered_models::routes())
        .merge(model_versions::routes())
        .merge(logged_models::routes())
        .merge(webhooks::routes())
        .merge(workspaces::protocol())
        .merge(assessments::protocol())
        .merge(evaluation_datasets::protocol())
        .merge(scorers::protocol())
        .merge(traces::protocol())
        .merge(traces_v2::protocol())
        .merge(batch::routes())
        .merge(experiments::routes())
        .merge(inputs::routes())
        .merge(logging::routes())
        .merge(metrics::routes())
        .merge(runs::routes())
        .merge(search::routes())
        .merge(registry::search::routes())
        .merge(artifacts::protocol())
        .merge(artifact_proxy::protocol())
        .merge(multipart::protocol())
        .merge(presigned::protocol())
}
