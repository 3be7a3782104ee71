//! A project as a whole: what applying its documents would change, and running a part of it with all that it needs.
//!
//! Invariants: applying is all or nothing and never runs anything; a job works on the documents as they were when it was
//! queued; a finished step is never run again by the same job, whatever happened in between.

mod apply;
mod graph;
mod lookup;
mod plan;
mod progress;
mod run;
mod schemas;
mod unit;
mod warnings;
mod why;

pub use apply::{Applied, ApplyRequest, PostedDocument, apply, export};
pub use graph::{Graph, Snapshot, Unit};
pub use plan::{Change, ChangeAction, PipelinePlan, Plan, StepPlan, StepVerdict, plan};
pub use progress::Progress;
pub use run::{RunHandler, RunRequest, queue_run};
pub use why::{Why, why};
