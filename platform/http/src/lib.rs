//! What every HTTP dialect of the server shares: one error format, extractors that explain themselves, the guard at
//! the door, request traces and the embedded web UI.
//!
//! Invariants: no domain knowledge, no SQL, no reading of configuration. Every error that leaves this crate is an
//! RFC 9457 problem with a stable `code`, and no internal cause is ever sent to a client.

mod compress;
mod edge;
mod error;
mod extract;
mod guard;
mod headers;
mod host;
mod problem;
mod trace;
mod ui;

pub use edge::{Bounds, EdgeConfig, bounded, edge};
pub use error::ApiError;
pub use extract::{Json, Path, Query};
pub use guard::GuardConfig;
pub use problem::{PROBLEM_JSON, Problem, ProblemItem};
pub use trace::{OnResponse, RequestRecord, UNMATCHED_ROUTE};
