//! The metadata database: every table, every query, on SQLite or Postgres.
//!
//! Invariants: SQL text for this database exists nowhere else. A method that returned `Ok` has committed. Both databases
//! answer alike: every test runs on both. Times are milliseconds given by the caller, JSON columns hold what
//! `serde_json` wrote, and no row whose JSON could not be read back is ever written.

mod audit;
mod checkpoints;
mod columns;
mod datasets;
mod db;
mod endpoints;
mod error;
pub mod evaluation;
mod experiments;
mod jobs;
mod metrics;
mod migrate;
mod models;
mod plugins;
mod pool;
mod projects;
mod runs;
mod steps;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod traces;
mod versions;

pub use audit::{AuditRow, NewAudit};
pub use checkpoints::{CheckpointRow, NewCheckpoint};
pub use datasets::{DatasetVersionRow, NewDatasetVersion};
pub use endpoints::EndpointStatusRow;
pub use error::StoreError;
pub use experiments::ExperimentRow;
pub use jobs::{Heartbeat, JobRow, NewJob};
pub use metrics::MetricPoint;
pub use models::{AliasRow, ModelRow, ModelVersionRow, NewModelVersion};
pub use plugins::{NewPlugin, PluginRow};
pub use pool::{Store, sqlite_url};
pub use projects::{ProjectRow, ResourceChange, ResourceRow};
pub use runs::{NewRun, RunArtifactRow, RunRow};
pub use steps::{CacheRow, NewCacheRow, NewStep, StepRow, StepUpdate};

type Result<T> = std::result::Result<T, StoreError>;
