//! Write Tiegel plugins in Rust.
//!
//! A plugin implements [`Transform`], [`Estimator`] where it learns a state, or [`RequestProcessor`] on the edge of an
//! endpoint, and names itself in one macro. The same code runs natively in `cargo test` and as a sandboxed component in
//! the platform. README.md has a complete example, which is a test too.
//!
//! Invariants: batches carry only buffers, whose names and types were fixed by `configure`; reading a column copies
//! nothing; the same rows give the same bytes.

mod batch;
#[doc(hidden)]
pub mod bindings;
pub mod bitmap;
mod builder;
pub mod category;
pub mod codec;
mod column;
mod error;
mod export;
#[doc(hidden)]
pub mod glue;
mod host;
pub mod kernels;
pub mod log;
mod native;
mod per_column;
mod plugin;
mod quantiles;
mod request;
mod scaling;
mod schema;

pub use batch::{Batch, BatchBuilder, Column};
pub use builder::{BooleanBuilder, ListBuilder, NumberBuilder, TextBuilder};
pub use column::{ColumnRef, Lists, Numbers};
pub use error::{ErrorCode, PluginError, Result};
pub use host::{artifact, provide_artifact, random_u64};
pub use native::Native;
pub use per_column::{PerColumn, Summary, not_fitted};
pub use plugin::{Estimator, Transform, configure, transform};
pub use quantiles::Quantiles;
pub use request::{Payload, RequestProcessor, Tensor, configure_processor};
pub use scaling::Scaling;
pub use schema::{DType, Field, Schema};

/// The code of README.md, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
