//! What models and applications are evaluated with: datasets of inputs and expectations, and scorers.

mod datasets;
mod records;
mod scorers;
mod search;
#[cfg(test)]
mod tests;

pub use datasets::EvaluationDatasetRow;
pub use records::{NewRecord, RecordChange, RecordPage, RecordRow, RecordsAfter};
pub use scorers::{NewOnlineConfig, NewScorerVersion, OnlineConfigRow, ScorerRow};
pub use search::EvaluationDatasetSearch;
