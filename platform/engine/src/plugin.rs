use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use tiegel_types::limits;
use tiegel_types::{Digest, Field, PluginDescriptor, Schema, StateRef};

/// Runs plugins. Every method blocks its thread, for as long as `PluginLimits` allow: call it off the async executor.
pub trait PluginHost: Send + Sync {
    /// Validates, compiles and describes a component, and keeps the compiled code on disk under its digest.
    /// A component that was installed before costs a look-up.
    fn install(&self, wasm: &[u8]) -> Result<PluginDescriptor, PluginFailure>;

    /// Whether the compiled code of a component is at hand, so that `install` need not be given its bytes.
    fn is_installed(&self, plugin: &Digest) -> bool;

    /// The output schema, where it does not need a state.
    fn output_schema(&self, binding: &Binding) -> Result<Option<Schema>, PluginFailure>;

    /// What one fixed chunk of rows teaches, on a fresh instance. `chunk` is its number, which seeds the plugin's randomness.
    fn partial(&self, binding: &Binding, chunk: u64, rows: &FitRows) -> Result<Vec<u8>, PluginFailure>;

    /// Merges the partials in the order given and closes the fit.
    fn finish(&self, binding: &Binding, partials: &[Vec<u8>]) -> Result<Fitted, PluginFailure>;

    /// A pool of warm instances of (plugin, config, state).
    fn transformer(&self, binding: &Binding, state: Option<State>) -> Result<Arc<dyn Transformer>, PluginFailure>;
}

/// The rows of one fit chunk, as batches that together hold at most `FIT_CHUNK_ROWS` rows.
pub struct FitRows {
    pub batches: Vec<RecordBatch>,
    /// The target of each batch, for plugins that use one.
    pub targets: Option<Vec<ArrayRef>>,
}

/// A plugin with its config, bound to the columns it reads.
#[derive(Clone, Debug)]
pub struct Binding {
    pub image: PluginImage,
    pub config: serde_json::Value,
    /// The columns the plugin reads, in the order it sees them.
    pub input: Schema,
    /// The target's field, while fitting.
    pub target: Option<Field>,
    pub limits: PluginLimits,
}

/// Which component, and what it is called in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginImage {
    pub digest: Digest,
    /// `name@version`.
    pub label: String,
}

#[derive(Clone, Debug)]
pub struct PluginLimits {
    pub call: Duration,
    pub memory_bytes_max: usize,
    pub output_bytes_max: usize,
}

impl Default for PluginLimits {
    fn default() -> Self {
        Self {
            call: Duration::from_millis(limits::PLUGIN_CALL_MS_MAX),
            memory_bytes_max: limits::PLUGIN_MEMORY_BYTES_MAX,
            output_bytes_max: limits::PLUGIN_OUTPUT_BYTES_MAX,
        }
    }
}

#[derive(Clone, Debug)]
pub struct State {
    pub reference: StateRef,
    pub bytes: Arc<[u8]>,
}

#[derive(Clone, Debug)]
pub struct Fitted {
    pub output: Schema,
    pub state: Vec<u8>,
    pub state_version: u32,
}

/// Warm instances of one (plugin, config, state). Calls from several threads run on several instances.
pub trait Transformer: Send + Sync {
    fn output(&self) -> &Schema;

    fn row_wise(&self) -> bool;

    /// Rows a call should carry.
    fn preferred_rows(&self) -> usize;

    /// Transforms rows on any instance. Row-wise plugins only.
    fn transform(&self, input: &RecordBatch) -> Result<RecordBatch, PluginFailure>;

    /// Transforms all rows in order on one instance and flushes it; answers the outputs in order.
    fn transform_all(
        &self,
        inputs: &mut dyn Iterator<Item = Result<RecordBatch, PluginFailure>>,
        output: &mut dyn FnMut(RecordBatch) -> Result<(), PluginFailure>,
    ) -> Result<(), PluginFailure>;
}

/// The error codes of the plugin contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginErrorCode {
    InvalidConfig,
    InvalidSchema,
    InvalidInput,
    NotFitted,
    BadState,
    Unsupported,
    Internal,
}

/// What went wrong outside the plugin's own judgement; the instance is thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The component is not one that this host runs: malformed, another contract, an import that was not granted.
    NotAPlugin,
    Trap,
    Timeout,
    MemoryLimit,
    OutputLimit,
    /// Buffers, offsets, UTF-8 or row counts that do not fit the schema.
    BadOutput,
    /// The host's own failure, such as a full disk.
    Host,
}

impl FaultKind {
    /// As metrics and spans name it.
    pub fn as_str(self) -> &'static str {
        match self {
            FaultKind::NotAPlugin => "not-a-plugin",
            FaultKind::Trap => "trap",
            FaultKind::Timeout => "timeout",
            FaultKind::MemoryLimit => "memory-limit",
            FaultKind::OutputLimit => "output-limit",
            FaultKind::BadOutput => "bad-output",
            FaultKind::Host => "host",
        }
    }
}

/// Why a plugin call did not answer.
#[derive(Clone, Debug)]
pub enum PluginFailure {
    /// The plugin answered an error.
    Refused { plugin: String, code: PluginErrorCode, message: String, column: Option<String>, row: Option<u64> },
    /// The plugin crashed or broke a limit or the contract.
    Fault { plugin: String, kind: FaultKind, message: String },
}

impl fmt::Display for PluginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PluginFailure::Refused { plugin, message, column, row, .. } => {
                write!(f, "plugin {plugin}: {message}")?;
                if let Some(column) = column {
                    write!(f, " (column '{column}'")?;
                    if let Some(row) = row {
                        write!(f, ", row {row}")?;
                    }
                    f.write_str(")")?;
                }
                Ok(())
            }
            PluginFailure::Fault { plugin, message, .. } => write!(f, "plugin {plugin}: {message}"),
        }
    }
}

impl std::error::Error for PluginFailure {}
