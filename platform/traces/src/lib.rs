//! Spans that OpenTelemetry's clients export, as traces to keep and to search.
//!
//! Invariants: a request is written whole or not at all, except for single spans over a limit, which are counted and
//! named in the answer. What is kept of a span is JSON as MLflow's clients read it: every attribute's value is JSON in a
//! text. Decoding leaves the async executor.

mod attributes;
mod batch;
mod conventions;
mod decode;
mod inflate;
mod json;
mod limits;
mod otlp_json;
mod preview;
mod span;

use bytes::Bytes;
use tiegel_context::{Ctx, OpError};
use tiegel_store::{Scope, StoreError};

pub use attributes::{decoded, is_tag_key};
pub use decode::{Compression, Form};
pub use limits::{
    BODY_BYTES_MAX, SPAN_ATTRIBUTES_MAX, SPAN_BYTES_MAX, SPANS_MAX, TAG_KEY_CHARS_MAX, TAG_VALUE_CHARS_MAX,
};
pub use preview::PREVIEW_CHARS_MAX;

/// One export of a client.
#[derive(Clone, Debug)]
pub struct Export {
    /// Whose experiment it is.
    pub scope: Scope,
    pub experiment_id: i64,
    /// The run that traces which are complete now are linked to.
    pub run_id: Option<String>,
    pub body: Bytes,
    pub form: Form,
    pub compression: Option<Compression>,
}

/// What became of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    pub spans: u64,
    /// Spans that were left out because they are over a limit.
    pub rejected: u64,
    /// Why the first of them was.
    pub reason: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The body is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// A span that cannot be kept.
    #[error("{0}")]
    BadSpan(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Op(#[from] OpError),
}

/// Writes the spans of an export, and what they say of their traces.
#[tracing::instrument(name = "traces.ingest", skip_all)]
pub async fn ingest(ctx: &Ctx, export: Export) -> Result<Ingested, IngestError> {
    let Export { scope, experiment_id, run_id, body, form, compression } = export;
    let work = move || {
        let request = decode::decode(&body, form, compression)?;
        batch::batch(request, experiment_id)
    };
    let parts = ctx.blocking(work).await??;
    if !parts.batch.traces.is_empty() {
        ctx.store.write_spans(&scope, parts.batch).await?;
    }
    if let Some(run_id) = run_id.filter(|_| !parts.complete.is_empty()) {
        ctx.store.link_traces_to_run(&scope, parts.complete, &run_id).await?;
    }
    Ok(parts.ingested)
}
