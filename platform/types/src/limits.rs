//! Every bound that the platform keeps, with its unit last. Over it, the answer is a clear error, never growth.

/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 63;
/// Bytes of a request body on the native API, uploads excepted.
pub const BODY_BYTES_MAX: usize = 16 << 20;
/// Bytes of one uploaded file.
pub const UPLOAD_BYTES_MAX: u64 = 64 << 30;
/// Documents in one project folder.
pub const DOCUMENTS_MAX: usize = 1_000;
/// Bytes of one YAML or SQL file of a project.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Columns of a table.
pub const COLUMNS_MAX: usize = 10_000;
/// Files that a dataset source may match.
pub const SOURCE_FILES_MAX: usize = 10_000;
/// Steps of a pipeline.
pub const PIPELINE_STEPS_MAX: usize = 200;
/// Rows in one fixed chunk of a fit.
pub const FIT_CHUNK_ROWS: usize = 65_536;
/// Rows in one row group of every Parquet file we write.
pub const ROW_GROUP_ROWS: usize = 16_384;
/// Rows in one batch handed to a plugin, unless it asks for fewer.
pub const PLUGIN_BATCH_ROWS_MAX: usize = 16_384;
/// Bytes of a plugin component.
pub const PLUGIN_BYTES_MAX: usize = 64 << 20;
/// Bytes of a plugin's config as JSON.
pub const PLUGIN_CONFIG_BYTES_MAX: usize = 1 << 20;
/// Bytes of linear memory of one plugin instance.
pub const PLUGIN_MEMORY_BYTES_MAX: usize = 256 << 20;
/// Bytes that one plugin call may answer.
pub const PLUGIN_OUTPUT_BYTES_MAX: usize = 128 << 20;
/// Bytes of a state.
pub const STATE_BYTES_MAX: usize = 64 << 20;
/// Milliseconds of one plugin call in a pipeline.
pub const PLUGIN_CALL_MS_MAX: u64 = 5_000;
/// Milliseconds of one plugin call in an endpoint.
pub const SERVING_CALL_MS_MAX: u64 = 500;
/// Lines and bytes a line that one plugin instance may log.
pub const PLUGIN_LOG_LINES_MAX: usize = 100;
pub const PLUGIN_LOG_LINE_BYTES_MAX: usize = 1_024;
/// Rows in one predict request.
pub const PREDICT_ROWS_MAX: usize = 10_000;
/// Requests that wait for one endpoint; over it the answer is 429.
pub const ENDPOINT_QUEUE_LEN_MAX: usize = 256;
/// Stored rows that a skew replay sends through the request path.
pub const REPLAY_ROWS_MAX: usize = 10_000;
/// Rows that an exploring query answers unless it asks for fewer.
pub const QUERY_ROWS_MAX: usize = 100_000;
/// Seconds of an exploring query.
pub const QUERY_SECONDS_MAX: u64 = 60;
/// Milliseconds that a job's lease lasts without a heartbeat.
pub const LEASE_MS: u64 = 15_000;
/// Rows on one page of a listing.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// Seconds from one collection of garbage to the next.
pub const GC_SECONDS: u64 = 3_600;
/// Seconds that stored contents stay that nothing names.
pub const BLOB_GRACE_SECONDS: u64 = 24 * 3_600;
