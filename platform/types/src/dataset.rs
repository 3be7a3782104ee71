use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Field;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SourceFormat {
    Csv,
    Parquet,
    JsonLines,
    ArrowIpc,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Ordering {
    pub partition_by: Vec<String>,
    pub order_by: Vec<String>,
}

/// A test declared beside a dataset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum TableTest {
    NotNull(Vec<String>),
    /// The columns together have no repeated value.
    Unique(Vec<String>),
    Accepted {
        column: String,
        r#in: Vec<serde_json::Value>,
    },
    Range {
        column: String,
        #[serde(default)]
        min: Option<f64>,
        #[serde(default)]
        max: Option<f64>,
    },
    Rows {
        #[serde(default)]
        min: Option<u64>,
        #[serde(default)]
        max: Option<u64>,
    },
    /// A SELECT from `this` of the rows that are wrong.
    Sql(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestReport {
    /// For people, such as `not_null: carrier`.
    pub test: String,
    pub passed: bool,
    pub failing_rows: u64,
    /// Up to 5 failing rows.
    pub samples: Vec<serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    pub rows: u64,
    pub columns: Vec<ColumnProfile>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColumnProfile {
    pub field: Field,
    pub nulls: u64,
    pub distinct_approx: u64,
    /// As text, so that every type has one form.
    pub min: Option<String>,
    pub max: Option<String>,
    /// Numbers only.
    pub mean: Option<f64>,
    /// Numbers only: the values at 1, 5, 25, 50, 75, 95 and 99 %, approximate.
    pub quantiles: Vec<f64>,
    /// Numbers only: rows in 20 bins of equal width from min to max.
    pub histogram: Vec<u64>,
    /// The most frequent values, at most 10; not for floats.
    pub top: Vec<TopValue>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TopValue {
    pub value: String,
    pub rows: u64,
}
