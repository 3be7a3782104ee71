use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a skew replay found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplayReport {
    /// Stored rows that were sampled; each was sent in a batch.
    pub rows: u64,
    /// Those that were sent alone as well. Fewer than `rows` where that would have taken too long, or at a difference.
    pub single_rows: u64,
    pub batches: u64,
    pub passed: bool,
    pub difference: Option<Difference>,
    /// The largest |online - offline| of the predictions that were compared; none where it did not come to that.
    pub max_prediction_difference: Option<f64>,
}

impl ReplayReport {
    pub(super) fn of_rows(rows: u64) -> Self {
        Self { rows, single_rows: 0, batches: 0, passed: false, difference: None, max_prediction_difference: None }
    }
}

/// The first place where serving does not give what training saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The pipeline's step; `request` for the decoder, `model` for the prediction.
    pub step: String,
    /// In the stored table that feeds the endpoint, from 0.
    pub row: u64,
    /// Empty where the request failed as a whole.
    pub column: String,
    /// What is stored.
    pub expected: String,
    /// What the endpoint gave.
    pub got: String,
    pub mode: Mode,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, row, column, expected, got, mode } = self;
        if column.is_empty() {
            return write!(f, "step '{step}' fails for stored row {row} (sent as {mode}): {got}");
        }
        write!(
            f,
            "step '{step}' gives {got} for column '{column}' of stored row {row} (sent as {mode}), where training saw {expected}"
        )
    }
}

/// How a row was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Single,
    Batch(u32),
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mode::Single => f.write_str("single"),
            Mode::Batch(rows) => write!(f, "batch of {rows}"),
        }
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rows = text.strip_prefix("batch of ").and_then(|rows| rows.parse().ok());
        match (text.as_str(), rows) {
            ("single", _) => Ok(Mode::Single),
            (_, Some(rows)) => Ok(Mode::Batch(rows)),
            _ => Err(serde::de::Error::custom(format!("'{text}' is neither 'single' nor 'batch of N'"))),
        }
    }
}
