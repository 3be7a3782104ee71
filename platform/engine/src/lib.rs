//! The traits that separate the heavy crates (DataFusion, wasmtime, candle) from everything else.
//!
//! Invariant: `query`, `wasm` and `model` implement these traits and know nothing of each other; the domain crates call
//! them through `Arc<dyn _>`; only the binary names both sides.

mod arrow_types;
mod model;
mod plugin;
mod table;

pub use arrow_types::{UnsupportedColumn, arrow_field, arrow_schema, dtype_of, schema_of};
pub use model::{
    EpochReport, Flow, ModelArtifact, ModelEngine, ModelError, Order, Predictor, RowBatches, TrainObserver,
    TrainRequest, TrainedModel, TrainingData,
};
pub use plugin::{
    Binding, FaultKind, FitRows, Fitted, PluginErrorCode, PluginFailure, PluginHost, PluginImage, PluginLimits, State,
    Transformer,
};
pub use table::{
    BatchStream, EncodedStream, FitStep, IngestRequest, Projector, QueryRequest, RowsFormat, ScanOptions, ScanOrder,
    ScratchFile, SourceFile, SqlAnalysis, SqlStep, TableEngine, TableError, TransformStep, Written,
};
