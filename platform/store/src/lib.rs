//! The metadata database: every table, every query, on SQLite or Postgres.
//!
//! Invariants: SQL text for this database exists nowhere else. A method that returned `Ok` has committed. Both databases
//! answer alike: every test runs on both. Times are milliseconds given by the caller, JSON columns hold what
//! `serde_json` wrote, and no row whose JSON could not be read back is ever written.

mod artifacts;
mod audit;
mod checkpoints;
mod columns;
mod datasets;
mod db;
mod endpoints;
mod error;
pub mod evaluation;
pub mod foreign;
mod gc;
mod import;
mod jobs;
mod migrate;
mod oci;
mod plugins;
mod pool;
mod projects;
mod registry;
mod search;
mod steps;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod traces;
mod tracking;
mod versions;

pub use artifacts::{ArtifactEntry, ArtifactPage, ArtifactRow, NewUpload, PartRow, RunArtifactRow, UploadRow};
pub use audit::{AuditRow, NewAudit};
pub use checkpoints::{CheckpointRow, NewCheckpoint};
pub use datasets::{DatasetVersionRow, NewDatasetVersion};
pub use endpoints::EndpointStatusRow;
pub use error::StoreError;
pub use gc::{Deleted, DeletedThing, Leftover, Referrers, RemovedExperiment};
pub use import::{Imported, ToCount};
pub use jobs::{Heartbeat, JobRow, NewJob};
pub use oci::{ManifestRow, NewManifest, Reference, Repository, StoredSignature};
pub use plugins::{Deprecation, NewPlugin, PluginRow};
pub use pool::{Durability, Store, sqlite_url};
pub use projects::{Contents, ProjectRow, ResourceChange, ResourceRow, WorkspaceChange, WorkspaceRow};
pub use registry::{
    AliasRow, Attempt, Change, Delivery, DeliveryRow, DeliveryState, LoggedModelMetric, LoggedModelRow,
    LoggedModelStatus, Made, ModelRow, ModelVersionRow, NewLoggedModel, NewModel, NewModelVersion, NewVersion,
    NewWebhook, Outcome, PROMPT_TAG, PROMPT_TEXT_TAG, PROMPT_TYPE_TAG, SealedSecret, Stage, Tags, WebhookChange,
    WebhookPage, WebhookRow, is_prompt,
};
pub use search::{FoundExperiment, Page, SearchExperiments, SearchLoggedModels, SearchRegistry, SearchRuns, View};
pub use steps::{CacheRow, NewCacheRow, NewStep, StepRow, StepUpdate};
pub use tracking::{
    ArtifactLocation, Batch, DatasetInput, DatasetSummary, ExperimentRow, HistoryPage, HistoryQuery, LatestMetric,
    LoggedMetric, ModelLink, ModelMetric, NewExperiment, NewRun, ParamConflict, Point, RunData, RunRow, RunUpdate,
    SampleQuery, Scope, TagLimit,
};

type Result<T> = std::result::Result<T, StoreError>;
