//! Write Tiegel plugins in Rust.
//!
//! A plugin implements [`Transform`], or [`Estimator`] where it learns a state, and names itself in one macro. The same
//! code runs natively in `cargo test` and as a sandboxed component in the platform.
//!
//! Invariants: batches carry only buffers, whose names and types were fixed by `configure`; reading a column copies
//! nothing; the same rows give the same bytes.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::Deserialize;
//! use tiegel_plugin::{Batch, Column, DType, Field, PluginError, Result, Schema, Transform};
//!
//! #[derive(Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     /// Values above this become this.
//!     max: f64,
//! }
//!
//! struct Clip {
//!     max: f64,
//!     output: Schema,
//! }
//!
//! impl Transform for Clip {
//!     type Config = Config;
//!
//!     fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
//!         if let Some(field) = input.fields.iter().find(|f| f.dtype != DType::Float64 || f.width != 1) {
//!             return Err(PluginError::invalid_schema("clip reads float64 columns").column(&field.name));
//!         }
//!         Ok(Self { max: config.max, output: input.clone() })
//!     }
//!
//!     fn output(&self) -> Option<Schema> {
//!         Some(self.output.clone())
//!     }
//!
//!     fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
//!         let mut columns = input.into_columns();
//!         for column in &mut columns {
//!             column.edit::<f64>(|values| values.iter_mut().for_each(|v| *v = v.min(self.max)));
//!         }
//!         Ok(columns)
//!     }
//! }
//!
//! tiegel_plugin::export!(Clip);
//!
//! # fn main() -> Result<()> {
//! let input = Batch::builder().float64("price", [Some(1.0), Some(9.0), None]).build()?;
//! let mut clip: Clip = tiegel_plugin::configure(r#"{"max": 5}"#, input.schema(), None)?;
//! let output = tiegel_plugin::transform(&mut clip, input)?;
//! assert_eq!(output.column(0).options::<f64>()?.collect::<Vec<_>>(), [Some(1.0), Some(5.0), None]);
//! # Ok(())
//! # }
//! ```

mod batch;
#[doc(hidden)]
pub mod bindings;
pub mod bitmap;
pub mod codec;
mod column;
mod error;
#[doc(hidden)]
pub mod glue;
mod host;
pub mod kernels;
pub mod log;
mod native;
mod plugin;
mod schema;

pub use batch::{Batch, BatchBuilder, Column};
pub use column::{ColumnRef, Numbers};
pub use error::{ErrorCode, PluginError, Result};
pub use host::{artifact, random_u64};
pub use native::Native;
pub use plugin::{Estimator, Transform, configure, transform};
pub use schema::{DType, Field, Schema};
