//! Moving tracking data between servers: from an MLflow server or its database into Tiegel, and from Tiegel's MLflow
//! protocol to an MLflow server.
//!
//! Invariants: writing is idempotent, so an interrupted move is started again and goes on; a thing counts as moved once
//! the other side has acknowledged all of it; at the end both sides are counted.

mod artifacts;
mod copy;
mod export;
mod fields;
mod http;
mod import;
mod journal;
mod read;
mod report;
mod trace;
mod write;

pub use export::{Export, export};
pub use http::{Access, MlflowApi};
pub use import::{Import, import};
pub use journal::Journal;
pub use read::Source;
pub use report::{Report, Row};
