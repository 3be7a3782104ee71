use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use serde::{Deserialize, Serialize};
use tiegel_serving::{Endpoints, Entry};
use tiegel_types::{EndpointState, Name};

use crate::error::ProtocolError;

#[derive(Default, Deserialize)]
#[serde(default)]
struct IndexRequest {
    /// Only models that are ready.
    ready: bool,
}

#[derive(Serialize)]
pub(crate) struct IndexEntry {
    name: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    state: &'static str,
    reason: String,
}

/// Clients send no body at all for the whole index.
pub(crate) async fn index(
    State(endpoints): State<Endpoints>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Vec<IndexEntry>>, ProtocolError> {
    let body = body?;
    let request: IndexRequest = if body.trim_ascii().is_empty() {
        IndexRequest::default()
    } else {
        serde_json::from_slice(&body).map_err(|e| {
            ProtocolError::bad_request(format!("the body is neither empty nor {{\"ready\": true}}: {e}"))
        })?
    };
    let entries = endpoints.list().into_iter().map(|(name, entry)| describe(name, entry));
    Ok(Json(entries.filter(|e| !request.ready || e.state == "READY").collect()))
}

fn describe(name: Name, entry: Entry) -> IndexEntry {
    let state = match (&entry.live, entry.state) {
        (Some(_), _) => "READY",
        (None, EndpointState::Deploying) => "LOADING",
        (None, _) => "UNAVAILABLE",
    };
    let version = entry.live.map(|live| live.served.version.to_string());
    IndexEntry { name, version, state, reason: entry.message.unwrap_or_default() }
}
