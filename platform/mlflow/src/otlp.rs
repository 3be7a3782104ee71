//! OpenTelemetry's own protocol for spans, over HTTP.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message as _;
use serde_json::json;
use tiegel_traces::{BODY_BYTES_MAX, Compression, Export, Form, IngestError, Ingested, ingest};

use crate::validate::experiment_id;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowError};

const EXPERIMENT_HEADER: &str = "x-mlflow-experiment-id";
const RUN_HEADER: &str = "x-mlflow-run-id";
const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

pub(crate) fn routes() -> Router<Mlflow> {
    Router::new().route("/v1/traces", post(export)).layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

async fn export(
    State(state): State<Mlflow>,
    workspace: Workspace,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::trim);
    let experiment = text(EXPERIMENT_HEADER).ok_or(Refusal::NoExperiment)?;
    let form = form(text(header::CONTENT_TYPE.as_str()))?;
    let export = Export {
        scope: workspace.scope(),
        experiment_id: experiment_id(experiment)?,
        run_id: text(RUN_HEADER).filter(|run| !run.is_empty()).map(str::to_owned),
        compression: compression(text(header::CONTENT_ENCODING.as_str()))?,
        body,
        form,
    };
    Ok(answer(form, ingest(&state.ctx, export).await?))
}

fn form(content_type: Option<&str>) -> Result<Form, Refusal> {
    match content_type.and_then(|kind| kind.split(';').next()).map(str::trim) {
        Some(PROTOBUF) => Ok(Form::Protobuf),
        Some(JSON) => Ok(Form::Json),
        _ => {
            let kind = content_type.unwrap_or("None");
            Err(Refusal::bad(format!("Invalid Content-Type: {kind}. Expected: {PROTOBUF} or {JSON}")))
        }
    }
}

fn compression(encoding: Option<&str>) -> Result<Option<Compression>, Refusal> {
    match encoding.map(str::to_lowercase).as_deref() {
        None | Some("" | "identity") => Ok(None),
        Some("gzip") => Ok(Some(Compression::Gzip)),
        Some("deflate") => Ok(Some(Compression::Deflate)),
        Some(other) => Err(Refusal::bad(format!("Unsupported Content-Encoding: {other}"))),
    }
}

/// In the form of the request.
fn answer(form: Form, ingested: Ingested) -> Response {
    let Ingested { rejected, reason, .. } = ingested;
    let rejected_spans = i64::try_from(rejected).unwrap_or(i64::MAX);
    let error_message = reason.unwrap_or_default();
    let (kind, body) = match form {
        Form::Protobuf => {
            let partial = ExportTracePartialSuccess { rejected_spans, error_message };
            let partial_success = (rejected > 0).then_some(partial);
            (PROTOBUF, ExportTraceServiceResponse { partial_success }.encode_to_vec())
        }
        Form::Json if rejected == 0 => (JSON, b"{}".to_vec()),
        Form::Json => {
            let partial = json!({ "rejectedSpans": rejected_spans.to_string(), "errorMessage": error_message });
            (JSON, json!({ "partialSuccess": partial }).to_string().into_bytes())
        }
    };
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// An export that is not taken. Exporters show what they get, whatever its form.
#[derive(Debug)]
enum Refusal {
    NoExperiment,
    Detail(StatusCode, String),
    Protocol(MlflowError),
}

impl Refusal {
    fn bad(message: String) -> Self {
        Self::Detail(StatusCode::BAD_REQUEST, message)
    }
}

impl From<MlflowError> for Refusal {
    fn from(error: MlflowError) -> Self {
        Self::Protocol(error)
    }
}

impl From<IngestError> for Refusal {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Malformed(message) => Self::bad(message),
            IngestError::BadSpan(message) => Self::Detail(StatusCode::UNPROCESSABLE_ENTITY, message),
            IngestError::Store(error) => Self::Protocol(error.into()),
            IngestError::Op(error) => Self::Protocol(error.into()),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::Protocol(error) => return error.into_response(),
            Self::Detail(status, message) => (status, json!(message)),
            Self::NoExperiment => {
                let missing = json!([{
                    "type": "missing", "loc": ["header", EXPERIMENT_HEADER], "msg": "Field required", "input": null,
                }]);
                (StatusCode::UNPROCESSABLE_ENTITY, missing)
            }
        };
        (status, [(header::CONTENT_TYPE, JSON)], json!({ "detail": detail }).to_string()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_spans_are_told_in_the_form_of_the_request() {
        let ingested = || Ingested { spans: 1, rejected: 2, reason: Some("too large".to_owned()) };
        let kind = |response: &Response| response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        assert_eq!(kind(&answer(Form::Protobuf, ingested())), PROTOBUF);
        assert_eq!(kind(&answer(Form::Json, ingested())), JSON);
    }

    #[test]
    fn only_what_the_protocol_knows_is_read() {
        assert_eq!(form(Some("application/json; charset=utf-8")).unwrap(), Form::Json);
        assert!(form(None).is_err() && form(Some("text/plain")).is_err());
        assert_eq!(compression(Some("GZIP")).unwrap(), Some(Compression::Gzip));
        assert_eq!(compression(Some("identity")).unwrap(), None);
        assert!(compression(Some("br")).is_err());
    }
}
