//! Datasets and pipelines: what a step depends on, whether it must run, and running it.
//!
//! Invariants: a step's cache key is the digest of everything that can change its output bytes, and of nothing else;
//! a step's output is stored before the step is called done; steps read tables by content, never by "latest".

mod boundary;
mod dataset;
mod inputs;
mod resolve;
mod split;
mod step;

pub use boundary::{Boundary, serving_boundary};
pub use dataset::{DatasetOutput, dataset_inputs, import_source, ingest_dataset, make_current};
pub use inputs::{Decision, Inputs, decide, explain};
pub use resolve::{InputRef, PlannedStep, ResolvedFit, ResolvedPipeline, StepCode, WasmCode, resolve_pipeline};
pub use step::{StepOutput, StepTables, run_step, step_inputs, step_table_name, wasm_binding};
