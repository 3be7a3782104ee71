//! The words that every crate shares: digests, names, ids, schemas, states and limits.
//!
//! Invariant: plain data only. Nothing here does I/O, reads a clock or draws randomness.

mod dataset;
mod digest;
mod id;
pub mod limits;
mod model;
mod name;
mod nearest;
mod schema;
mod state;
mod table;
pub mod transfer;
pub mod uri;

pub use dataset::{ColumnProfile, Ordering, Profile, SourceFormat, TableTest, TestReport, TopValue};
pub use digest::{Digest, Hasher, ParseDigestError};
pub use id::{JobId, RunId};
pub use model::{Family, LearningRate, Metrics, ModelSpec, Optimizer, Task, TrainSpec};
pub use name::{Kind, Name, NameError, ResourceRef};
pub use nearest::nearest;
pub use schema::{DType, Field, Schema};
pub use state::{EndpointState, JobState, RunStatus, StepState};
pub use table::{FileRef, PluginDescriptor, SPLIT_COLUMN, Split, StateRef, Table};
