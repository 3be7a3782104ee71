//! What models and applications are evaluated with: datasets of inputs and expectations, and scorers.

mod datasets;
mod records;
mod scorers;
#[cfg(test)]
mod tests;

pub use datasets::{EvaluationDatasetRow, EvaluationDatasets};
pub use records::{NewRecord, RecordChange, RecordPage, RecordRow, RecordsAfter};
pub use scorers::{NewOnlineConfig, NewScorerVersion, OnlineConfigRow, ScorerRow};
