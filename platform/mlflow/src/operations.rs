//! What clients ask of the server itself.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::Mlflow;

/// The release of MLflow whose interface this is. Clients send traces from 3.4 on.
const VERSION: &str = "3.17.2";

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new().route("/health", get(async || "OK")).route("/version", get(async || VERSION))
}

pub(crate) fn protocol() -> Router<Mlflow> {
    Router::new().route("/3.0/mlflow/server-info", get(server_info))
}

async fn server_info(State(state): State<Mlflow>) -> Json<Value> {
    Json(json!({
        "store_type": "SqlStore",
        "workspaces_enabled": true,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": true,
        "multipart_downloads_enabled": state.artifacts.can_sign(),
        "presigned_upload_run_id_supported": true,
        "presigned_upload_model_id_supported": true,
        "features_enabled": { "gateway": false },
    }))
}
