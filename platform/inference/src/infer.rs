use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tiegel_context::OpError;
use tiegel_serving::{Endpoints, Input};
use tiegel_types::{Name, Schema};

use crate::error::ProtocolError;
use crate::metadata::ModelPath;
use crate::tensor::{NO_BINARY, OUTPUT_DATATYPE, OUTPUT_NAME, RequestTensor, check_parameters, columns};

/// Marks a body of the binary tensor data extension.
const BINARY_HEADER: &str = "inference-header-content-length";

/// Bytes of a body that is parsed on the async worker; a longer one would hold it for too long.
const INLINE_BODY_BYTES_MAX: usize = 64 << 10;

#[derive(Deserialize)]
struct InferRequest {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
    inputs: Vec<RequestTensor>,
    #[serde(default)]
    outputs: Option<Vec<RequestedOutput>>,
}

#[derive(Deserialize)]
struct RequestedOutput {
    name: String,
    #[serde(default)]
    parameters: Option<Map<String, Value>>,
}

#[derive(Serialize)]
pub(crate) struct InferResponse {
    model_name: Name,
    model_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    outputs: [ResponseTensor; 1],
}

#[derive(Serialize)]
struct ResponseTensor {
    name: &'static str,
    shape: [usize; 1],
    datatype: &'static str,
    /// JSON has no number that is not finite: such a prediction is null.
    data: Vec<f64>,
}

/// Reads the body whatever its content type, as the protocol's clients send none.
pub(crate) async fn infer(
    State(endpoints): State<Endpoints>,
    Path(path): Path<ModelPath>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<InferResponse>, ProtocolError> {
    let live = path.live(&endpoints)?;
    if headers.contains_key(BINARY_HEADER) {
        return Err(ProtocolError::bad_request(NO_BINARY));
    }
    let body = body?;
    let (id, input) = if body.len() <= INLINE_BODY_BYTES_MAX {
        read(live.loaded().input(), &body)?
    } else {
        let live = live.clone();
        tokio::task::spawn_blocking(move || read(live.loaded().input(), &body))
            .await
            .map_err(|e| OpError::internal(format!("reading a request ended without an answer: {e}")))??
    };
    let prediction = live.predict(input).await?;
    let data = prediction.predictions;
    let output = ResponseTensor { name: OUTPUT_NAME, shape: [data.len()], datatype: OUTPUT_DATATYPE, data };
    let (model_name, model_version) = (prediction.endpoint, prediction.version.to_string());
    Ok(Json(InferResponse { model_name, model_version, id, outputs: [output] }))
}

fn read(schema: &Schema, body: &[u8]) -> Result<(Option<String>, Input), ProtocolError> {
    let request: InferRequest = serde_json::from_slice(body)
        .map_err(|e| ProtocolError::bad_request(format!("the body is not an inference request: {e}")))?;
    check_parameters(request.parameters.as_ref())?;
    check_outputs(request.outputs.as_deref().unwrap_or_default())?;
    let (rows, columns) = columns(schema, request.inputs)?;
    Ok((request.id, Input::Columns { rows, columns }))
}

fn check_outputs(outputs: &[RequestedOutput]) -> Result<(), ProtocolError> {
    for output in outputs {
        check_parameters(output.parameters.as_ref())?;
        if output.name != OUTPUT_NAME {
            let message = format!("there is no output '{}'; the only one is '{OUTPUT_NAME}'", output.name);
            return Err(ProtocolError::bad_request(message));
        }
    }
    if outputs.len() > 1 {
        return Err(ProtocolError::bad_request(format!("output '{OUTPUT_NAME}' is asked for twice")));
    }
    Ok(())
}
