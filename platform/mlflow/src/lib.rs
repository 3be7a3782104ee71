//! MLflow's REST interface: what its unmodified clients send and expect, over the platform's own operations.
//!
//! Invariants: a permanent error never answers a 5xx status, because clients retry those and a training would hang; a
//! request that is repeated has no second effect; what a route cannot do it refuses by name. Each route of the protocol
//! is served under `/api` and `/ajax-api`, and an optional prefix stands in front of both.

mod batch;
mod error;
mod experiments;
mod inputs;
mod location;
mod logging;
mod metrics;
mod operations;
mod params;
mod render;
mod runs;
mod validate;
mod wire;
mod workspace;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tiegel_context::Ctx;

pub use error::{ErrorCode, MlflowError, MlflowResult};

/// Bytes of a JSON body: a batch of 1,000 metrics with long keys fits many times.
const BODY_BYTES_MAX: usize = 64 << 20;

/// What every handler is given.
#[derive(Clone)]
pub struct Mlflow {
    pub ctx: Ctx,
    /// Where experiments without a location of their own keep artifacts: `mlflow-artifacts:/`, unless configured.
    pub default_artifact_root: String,
}

/// All routes of the dialect.
pub fn router(state: Mlflow) -> Router {
    let protocol = protocol();
    Router::new()
        .nest("/api", protocol.clone())
        .nest("/ajax-api", protocol)
        .merge(operations::routes())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(state)
}

/// The routes below `/api` and `/ajax-api`, such as `/2.0/mlflow/runs/create`.
fn protocol() -> Router<Mlflow> {
    Router::new()
        .merge(operations::protocol())
        .merge(batch::routes())
        .merge(experiments::routes())
        .merge(inputs::routes())
        .merge(logging::routes())
        .merge(metrics::routes())
        .merge(runs::routes())
}
