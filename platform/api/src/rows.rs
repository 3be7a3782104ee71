use axum::body::Body;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use tiegel_context::Ctx;
use tiegel_engine::{BatchStream, RowsFormat};
use tiegel_http::ApiError;
use tiegel_types::Schema;

use crate::ApiResult;

const FORMATS: [(&str, RowsFormat); 5] = [
    ("application/json", RowsFormat::Json),
    ("application/jsonl", RowsFormat::JsonLines),
    ("text/csv", RowsFormat::Csv),
    ("application/vnd.apache.arrow.stream", RowsFormat::ArrowStream),
    ("application/vnd.apache.parquet", RowsFormat::Parquet),
];

/// The format that `Accept` asks for; JSON where it does not say.
pub fn wanted_format(headers: &HeaderMap) -> ApiResult<(&'static str, RowsFormat)> {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("*/*");
    for part in accept.split(',') {
        let media = part.split(';').next().unwrap_or_default().trim();
        if let Some(found) = FORMATS.iter().find(|(name, _)| *name == media) {
            return Ok(*found);
        }
        if media == "*/*" || media == "application/*" {
            return Ok(FORMATS[0]);
        }
    }
    let known: Vec<_> = FORMATS.iter().map(|(name, _)| *name).collect();
    let detail = format!("rows cannot be had as '{accept}'; ask for one of {}", known.join(", "));
    Err(ApiError::new(axum::http::StatusCode::NOT_ACCEPTABLE, "not_acceptable", detail).into())
}

/// Streams rows; an error after the first bytes breaks the connection, so that no client takes a part for the whole.
pub fn stream_rows(ctx: &Ctx, schema: &Schema, batches: BatchStream, format: (&'static str, RowsFormat)) -> Response {
    let (media, format) = format;
    let body = Body::from_stream(ctx.tables.encode(schema, batches, format));
    ([(header::CONTENT_TYPE, media)], body).into_response()
}
