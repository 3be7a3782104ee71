use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tiegel_serving::{Absent, Endpoints, Live};
use tiegel_types::Field;

use crate::error::ProtocolError;
use crate::tensor::{OUTPUT_DATATYPE, OUTPUT_NAME, datatype};

/// What the protocol calls the runtime.
const PLATFORM: &str = "tiegel";

/// A model, and the version where the path names one.
#[derive(Deserialize)]
pub(crate) struct ModelPath {
    pub model: String,
    pub version: Option<String>,
}

impl ModelPath {
    /// The live version, where it is the one asked for.
    pub fn live(&self, endpoints: &Endpoints) -> Result<Arc<Live>, ProtocolError> {
        let live = endpoints.live(&self.model)?;
        match &self.version {
            Some(version) if *version != live.served.version.to_string() => Err(ProtocolError::not_found(format!(
                "endpoint '{}' serves version {}, not '{version}'",
                self.model, live.served.version
            ))),
            _ => Ok(live),
        }
    }
}

pub(crate) async fn server() -> Json<Value> {
    Json(json!({ "name": "tiegel", "version": env!("CARGO_PKG_VERSION"), "extensions": [] }))
}

/// A server that answers is live, and ready to load any endpoint: one that is pending does not take the others down.
/// The protocol's text names one key and its clients read the other, so both are sent.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "live": true, "ready": true }))
}

pub(crate) async fn model(
    State(endpoints): State<Endpoints>,
    Path(path): Path<ModelPath>,
) -> Result<Json<Value>, ProtocolError> {
    let live = path.live(&endpoints)?;
    let inputs: Vec<_> = live.loaded().input().fields.iter().map(input).collect();
    Ok(Json(json!({
        "name": path.model,
        "versions": [live.served.version.to_string()],
        "platform": PLATFORM,
        "inputs": inputs,
        "outputs": [{ "name": OUTPUT_NAME, "datatype": OUTPUT_DATATYPE, "shape": [-1] }],
    })))
}

pub(crate) async fn model_ready(
    State(endpoints): State<Endpoints>,
    Path(path): Path<ModelPath>,
) -> Result<(StatusCode, Json<Value>), ProtocolError> {
    let (status, ready) = match endpoints.live(&path.model) {
        Err(Absent::NotReady { .. }) => (StatusCode::SERVICE_UNAVAILABLE, false),
        Err(unknown) => return Err(unknown.into()),
        Ok(_) => {
            path.live(&endpoints)?;
            (StatusCode::OK, true)
        }
    };
    Ok((status, Json(json!({ "name": path.model, "ready": ready }))))
}

fn input(field: &Field) -> Value {
    let shape = if field.width > 1 { json!([-1, field.width]) } else { json!([-1]) };
    json!({ "name": field.name, "datatype": datatype(field.dtype), "shape": shape })
}
