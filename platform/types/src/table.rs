use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DType, Digest, Field, Schema};

/// The column that holds `train`, `validation` or `test` once a pipeline has split its rows.
pub const SPLIT_COLUMN: &str = "split";

/// One Parquet file in the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileRef {
    pub digest: Digest,
    pub bytes: u64,
    pub rows: u64,
}

/// An immutable table: Parquet files by digest, in order, and their schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Table {
    pub schema: Schema,
    pub files: Vec<FileRef>,
    pub rows: u64,
}

impl Table {
    /// The digest that identifies the content: schema and file digests.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&serde_json::json!({ "version": 1, "schema": self.schema, "files": self.files }))
    }
}

/// What a fitted plugin learned, by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateRef {
    pub digest: Digest,
    pub version: u32,
    pub bytes: u64,
}

/// What a plugin says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PluginDescriptor {
    pub name: String,
    pub version: String,
    pub summary: String,
    /// JSON Schema 2020-12 of the config.
    pub config_schema: serde_json::Value,
    pub row_wise: bool,
    /// Rows a call should carry for good throughput; 0 leaves it to the host.
    pub preferred_rows: u32,
    pub state_version: u32,
    /// Whether it learns a state (`estimator`) or not (`transform`).
    pub fits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    Train,
    Validation,
    Test,
}

impl Split {
    pub fn as_str(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        }
    }

    pub fn field() -> Field {
        Field { name: SPLIT_COLUMN.to_owned(), dtype: DType::Utf8, nullable: false, width: 1 }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "train" => Ok(Split::Train),
            "validation" => Ok(Split::Validation),
            "test" => Ok(Split::Test),
            other => Err(format!("'{other}' is not a split: use train, validation or test")),
        }
    }
}
