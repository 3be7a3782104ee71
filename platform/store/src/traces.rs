//! Traces: their own facts, their spans, what was said of them.

mod assessments;
mod delete;
mod info;
mod metrics;
mod read;
mod search;
mod spans;
mod start;
mod tags;
#[cfg(test)]
mod tests;
mod usage;

pub(crate) use info::seen_experiments;

pub use assessments::{AssessmentChange, AssessmentIds, AssessmentRow};
pub use delete::DeleteTraces;
pub use info::{TraceInfo, TraceRow};
pub use metrics::{MetricDimension, MetricRow, MetricValue, MetricView, TraceMetricFilter, TraceMetricQuery};
pub use read::TraceSpans;
pub use search::TraceSearch;
pub use spans::{NewSpan, SpanBatch, TracePart};
pub use start::{EndTrace, NewTrace};
pub use tags::TRACE_NAME_TAG;
pub use usage::{COST_KEYS, TOKEN_KEYS};

/// A state of a trace whose end nobody has reported yet.
pub const IN_PROGRESS: &str = "IN_PROGRESS";

/// The metadata key of the session that a trace belongs to. The session is a column.
pub const SESSION_METADATA: &str = "mlflow.trace.session";
/// The metadata key of the run that a trace was made in.
pub const SOURCE_RUN_METADATA: &str = "mlflow.sourceRun";
