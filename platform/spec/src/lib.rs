//! The declarative kinds: what a project folder says, read from YAML or JSON, checked, compared and written again.
//!
//! Invariants: no I/O, no clock and no randomness. A document that `parse` accepts is complete: its references resolve,
//! its pipelines have no cycle, and each of its numbers is in range. Whatever is refused is named by file, line, column
//! and field.

mod check;
mod dag;
mod de;
mod diagnostic;
mod diff;
mod document;
mod export;
mod field;
mod json_schema;
mod kinds;
mod node;
mod params;
mod parse;
mod plugin_ref;
mod scalar;
mod time;
mod yaml;

#[cfg(test)]
mod tests;

pub use check::check;
pub use dag::CycleError;
pub use diagnostic::{Diagnostic, Location, Severity, SourceText};
pub use diff::{FieldChange, diff};
pub use document::{API_VERSION, DEFAULT_PROJECT, Document, ProjectDocs};
pub use export::export;
pub use json_schema::json_schema;
pub use kinds::{
    DatasetSpec, EndpointSpec, FitSpec, PipelineSpec, RegisterSpec, RetrySpec, Source, SourceBlob, Spec, SplitByColumn,
    SplitByFraction, SplitByTime, SplitSpec, StepSpec, TrainingSpec,
};
pub use params::ParamError;
pub use parse::parse;
pub use plugin_ref::{PluginPin, PluginRef};
pub use time::parse_time;
