//! Tables: ingestion, SQL, profiles, tests, and the plugin operator, on DataFusion and Parquet.
//!
//! Invariants. This is the only crate that imports datafusion and parquet. It reads blobs by digest and writes scratch
//! files; it never stores anything. The same inputs give the same bytes, whatever the number of threads and the size of
//! batches: one writer (`write`), totally ordered SQL output (`sql`), fixed chunks for fits (`fit`). Every column that
//! leaves is of the closed set of types (`closed`). All work runs on the engine's own runtime and threads, so that a
//! heavy query never holds up a caller's executor.

mod blobs;
mod check;
mod closed;
mod encode;
mod engine;
mod error;
mod fit;
#[cfg(test)]
mod fixture;
mod ingest;
mod profile;
mod query;
mod runtime;
mod scan;
mod session;
mod sql;
mod transform;
mod write;

pub use engine::{QueryConfig, QueryEngine};
pub use transform::{TransformLimits, TransformPayload};
