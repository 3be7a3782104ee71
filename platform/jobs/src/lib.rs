//! Background work: jobs from the queue under leases, and reconcilers that bring a part of the server in line.
//!
//! Invariants: a job whose lease is lost is told to stop, and its outcome is written by the new owner alone. Every task
//! belongs to a tracker, so a shutdown ends them all. A job may run twice (a node died), so handlers are idempotent.

mod attempt;
mod clock;
mod reconcile;
mod runner;
mod wake;

pub use clock::{Clock, SystemClock};
pub use reconcile::{ReconcileError, Reconciler, ReconcilerHandle, start_reconciler};
pub use runner::{JobHandler, JobOutcome, JobRunner, RunnerHandle};
pub use wake::Wake;
