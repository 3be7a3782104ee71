//! Which responses are worth compressing.

use axum::http::{HeaderMap, Response, header};
use tower_http::compression::predicate::Predicate;

/// Under this a response fits in one packet anyhow.
const COMPRESSED_BYTES_MIN: u64 = 1_024;

/// Text of a known length. A stream is left alone, because a compressor would hold back its events, and so are
/// Parquet, Arrow and gRPC, which are compressed already or must not be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WholeText;

impl Predicate for WholeText {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &Response<B>) -> bool {
        let whole = response.body().size_hint().exact().is_some_and(|bytes| bytes >= COMPRESSED_BYTES_MIN);
        whole && is_text(response.headers())
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let (text, structured) = (kind.starts_with("text/"), kind.ends_with("json") || kind.ends_with("+xml"));
    kind != "text/event-stream" && (text || structured || kind == "application/openmetrics-text")
}
