//! Endpoints: bundles loaded, proven and ready to answer.
//!
//! Invariants: a version serves only after its skew replay passed on this server's engines; a request is answered whole by
//! the version it started on; an endpoint has one thread and a bounded queue, and over it the answer is `Busy`.

mod decode;
mod deploy;
mod endpoints;
mod executor;
mod loaded;
mod replay;
mod stage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use decode::{Decoder, Input, InputColumn, JsonRow, PredictRequest};
pub use deploy::{EndpointReconciler, Proven, Refused, ReplayRecord};
pub use endpoints::{Absent, Endpoints, Entry, Live, Prediction, Served};
pub use loaded::LoadedBundle;
pub use replay::{Difference, Mode, ReplayReport};
pub use stage::Runner;
