use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;
use tiegel_types::{DType, Digest, Ordering, Profile, Schema, SourceFormat, Split, Table, TableTest, TestReport};
use tokio_util::sync::CancellationToken;

use crate::{Binding, Fitted, PluginFailure, State};

pub type BatchStream = BoxStream<'static, Result<RecordBatch, TableError>>;

pub type EncodedStream = BoxStream<'static, Result<Vec<u8>, TableError>>;

/// Reads, writes and queries tables. Reads Parquet from the blob store; writes to scratch files that the caller stores.
#[async_trait]
pub trait TableEngine: Send + Sync {
    /// Part of every cache key: changes whenever the same step could write other bytes.
    fn version(&self) -> String;

    /// Reads source files into Parquet with the closed set of column types.
    async fn ingest(&self, request: IngestRequest, cancel: CancellationToken) -> Result<Written, TableError>;

    async fn profile(&self, table: &Table) -> Result<Profile, TableError>;

    /// Runs declared tests; a test that fails is a report, not an error.
    async fn check(&self, table: &Table, tests: &[TableTest]) -> Result<Vec<TestReport>, TableError>;

    /// The tables that a SELECT names, without looking them up.
    fn references(&self, sql: &str) -> Result<Vec<String>, TableError>;

    /// Plans a step without running it.
    async fn analyze(&self, step: &SqlStep, inputs: &BTreeMap<String, Schema>) -> Result<SqlAnalysis, TableError>;

    /// Runs a SQL step, sorted by its key.
    async fn sql(
        &self,
        step: &SqlStep,
        inputs: &BTreeMap<String, Table>,
        scratch: PathBuf,
        cancel: CancellationToken,
    ) -> Result<Written, TableError>;

    /// Streams a table through a plugin. Rows keep their order where the plugin is row-wise.
    async fn transform(
        &self,
        step: TransformStep,
        input: &Table,
        scratch: PathBuf,
        cancel: CancellationToken,
    ) -> Result<Written, TableError>;

    /// Fits a plugin over fixed chunks of one split, in parallel, merged in order.
    async fn fit(&self, step: FitStep, input: &Table, cancel: CancellationToken) -> Result<Fitted, TableError>;

    fn scan(&self, table: &Table, options: ScanOptions) -> BatchStream;

    /// A row-wise SQL step made ready to run on one batch at a time, for endpoints.
    async fn projector(&self, step: &SqlStep, input: &Schema) -> Result<Arc<dyn Projector>, TableError>;

    /// Exploration: read-only, capped in rows, memory and time.
    async fn query(&self, request: QueryRequest) -> Result<(Schema, BatchStream), TableError>;

    /// Encodes rows piece by piece, for an HTTP body or a file.
    fn encode(&self, schema: &Schema, batches: BatchStream, format: RowsFormat) -> EncodedStream;
}

pub trait Projector: Send + Sync {
    fn output(&self) -> &Schema;
    fn project(&self, input: &RecordBatch) -> Result<RecordBatch, TableError>;
}

/// A table written to scratch files, not stored yet.
#[derive(Debug)]
pub struct Written {
    pub schema: Schema,
    pub files: Vec<ScratchFile>,
    pub rows: u64,
}

#[derive(Debug)]
pub struct ScratchFile {
    pub path: PathBuf,
    pub digest: Digest,
    pub bytes: u64,
    pub rows: u64,
}

#[derive(Clone, Debug)]
pub struct SourceFile {
    /// What the user called it; named in errors. A `.zip` holding one CSV file is read as that file; `.gz` likewise.
    pub label: String,
    /// Where its bytes are now.
    pub path: PathBuf,
}

#[derive(Clone, Debug)]
pub struct IngestRequest {
    pub files: Vec<SourceFile>,
    /// None: by the label's ending.
    pub format: Option<SourceFormat>,
    /// Types that override what would be inferred.
    pub columns: BTreeMap<String, DType>,
    /// CSV texts that stand for null, besides the empty one.
    pub null_values: Vec<String>,
    pub scratch: PathBuf,
}

/// A SQL step: one SELECT over its inputs by name.
#[derive(Clone, Debug)]
pub struct SqlStep {
    pub sql: String,
    /// The unique key by which the output is sorted; empty: all columns.
    pub key: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SqlAnalysis {
    pub output: Schema,
    /// The inputs that it reads.
    pub tables: Vec<String>,
    /// Output row i depends on input row i of one input alone, so that an endpoint can run it.
    pub row_wise: bool,
    /// Why not, where it is not: "joins 2 tables", "aggregates", "filters rows".
    pub not_row_wise_because: Option<String>,
    /// For a row-wise step: the columns of its input that it reads.
    pub reads: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct TransformStep {
    /// `binding.input` names the columns it reads; the others pass through, before the plugin's outputs.
    pub binding: Binding,
    pub state: Option<State>,
    /// For a plugin that is not row-wise: the order in which one instance sees all rows; only its outputs remain.
    pub ordering: Option<Ordering>,
    /// Columns that the plugin reads and that stay in the output as well.
    pub keep: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct FitStep {
    pub binding: Binding,
    /// Rows of which split teach; none: all rows.
    pub split: Option<Split>,
}

#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    /// None: all columns.
    pub columns: Option<Vec<String>>,
    /// Rows of these splits only; empty: all rows.
    pub splits: Vec<Split>,
    pub order: ScanOrder,
    pub batch_rows: usize,
    /// Stop after this many rows.
    pub limit: Option<usize>,
    pub offset: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanOrder {
    #[default]
    Stored,
    /// Row groups in an order drawn from the seed; rows inside a group as stored.
    RowGroupsShuffled { seed: u64 },
}

/// How rows leave the platform. In JSON and CSV: NaN and the infinities are the texts `NaN`, `Infinity` and `-Infinity`,
/// timestamps RFC 3339, bytes base64, lists JSON arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsFormat {
    /// One array of objects.
    Json,
    JsonLines,
    /// With a header; a null is an empty field, an empty text a quoted one.
    Csv,
    ArrowStream,
    Parquet,
}

#[derive(Clone, Debug)]
pub struct QueryRequest {
    pub sql: String,
    pub tables: BTreeMap<String, Table>,
    pub rows_max: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The user's data, SQL or columns are wrong; the message says what and where.
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
    /// A limit was hit: rows, memory or time.
    #[error("{0}")]
    Limit(String),
    #[error("cancelled")]
    Cancelled,
    /// Ours: disk, blob store, a bug.
    #[error("{0}")]
    Internal(String),
}
