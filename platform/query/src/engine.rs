//! The engine: what the trait asks for, on its own threads, one span an operation.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use futures::StreamExt;
use object_store::ObjectStore;
use tiegel_engine::{
    BatchStream, EncodedStream, FitStep, Fitted, IngestRequest, PluginHost, Projector, QueryRequest, RowsFormat,
    ScanOptions, SqlAnalysis, SqlStep, TableEngine, TableError, TransformStep, Written,
};
use tiegel_types::{Profile, Schema, Table, TableTest, TestReport, limits};
use tokio_util::sync::CancellationToken;
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::error::internal;
use crate::fit::fit_columns;
use crate::runtime::Threads;
use crate::session::Sessions;
use crate::sql::SqlJob;
use crate::write::{Scratch, Sink, TableWriter};
use crate::{check, encode, fit, ingest, profile, query, scan, sql, transform};

/// Rises when this crate writes other bytes for the same step.
const FORMAT: u32 = 1;

#[derive(Clone, Debug)]
pub struct QueryConfig {
    /// Bytes that all queries together may hold; over it they spill, and then they fail.
    pub memory_bytes_max: usize,
    /// Where they spill.
    pub spill_dir: PathBuf,
    /// Threads, plugin instances and partitions; results do not depend on it.
    pub partitions: usize,
}

/// Tables on DataFusion and Parquet.
pub struct QueryEngine {
    inner: Arc<Inner>,
    threads: Threads,
}

struct Inner {
    sessions: Sessions,
    blobs: Arc<dyn ObjectStore>,
    plugins: Arc<dyn PluginHost>,
    partitions: usize,
    /// Numbers scratch files.
    counter: Arc<AtomicU64>,
}

impl QueryEngine {
    /// Starts the engine's threads. The blob of a digest lies at `Digest::blob_path` in `blobs`.
    pub fn new(
        config: QueryConfig,
        blobs: Arc<dyn ObjectStore>,
        plugins: Arc<dyn PluginHost>,
    ) -> Result<Self, TableError> {
        let partitions = config.partitions.max(1);
        let sessions = Sessions::new(config.memory_bytes_max, config.spill_dir, Arc::clone(&blobs))?;
        let threads = Threads::new(partitions).map_err(|error| internal("starting the query threads", error))?;
        let inner = Inner { sessions, blobs, plugins, partitions, counter: Arc::default() };
        Ok(Self { inner: Arc::new(inner), threads })
    }

    fn inner(&self) -> Arc<Inner> {
        Arc::clone(&self.inner)
    }
}

impl Inner {
    fn scratch(&self, dir: PathBuf) -> Scratch {
        Scratch { dir, counter: Arc::clone(&self.counter) }
    }
}

#[async_trait]
impl TableEngine for QueryEngine {
    fn version(&self) -> String {
        format!("tiegel-query {FORMAT}, datafusion {}", datafusion::DATAFUSION_VERSION)
    }

    async fn ingest(&self, request: IngestRequest, cancel: CancellationToken) -> Result<Written, TableError> {
        let scratch = self.inner.scratch(request.scratch.clone());
        let span = info_span!("query.ingest", files = request.files.len(), rows = Empty, bytes = Empty);
        self.threads.run(measured(ingest::ingest(request, scratch, cancel)).instrument(span)).await
    }

    async fn profile(&self, table: &Table) -> Result<Profile, TableError> {
        let (inner, table) = (self.inner(), table.clone());
        let span = info_span!("query.profile", rows = table.rows, bytes = bytes(&table));
        let work = async move { profile::profile(Arc::clone(&inner.blobs), &table, inner.partitions).await };
        self.threads.run(work.instrument(span)).await
    }

    async fn check(&self, table: &Table, tests: &[TableTest]) -> Result<Vec<TestReport>, TableError> {
        let (inner, table, tests) = (self.inner(), table.clone(), tests.to_vec());
        let span = info_span!("query.check", tests = tests.len(), rows = table.rows, bytes = bytes(&table));
        let work = async move { check::check(&inner.sessions, &table, &tests).await };
        self.threads.run(work.instrument(span)).await
    }

    fn references(&self, sql: &str) -> Result<Vec<String>, TableError> {
        Ok(sql::parse_select(sql)?.tables)
    }

    async fn analyze(&self, step: &SqlStep, inputs: &BTreeMap<String, Schema>) -> Result<SqlAnalysis, TableError> {
        let (inner, step, inputs) = (self.inner(), step.clone(), inputs.clone());
        let work = async move { sql::analyze(&inner.sessions, &step, &inputs).await };
        self.threads.run(work.instrument(info_span!("query.analyze"))).await
    }

    async fn sql(
        &self,
        step: &SqlStep,
        inputs: &BTreeMap<String, Table>,
        scratch: PathBuf,
        cancel: CancellationToken,
    ) -> Result<Written, TableError> {
        let inner = self.inner();
        let job = SqlJob { step: step.clone(), inputs: inputs.clone(), threads: inner.partitions };
        let scratch = inner.scratch(scratch);
        let work = async move {
            let run = async {
                let in_order = sql::run_in_order(&inner.sessions, &job, &inner.blobs, scratch.clone(), &cancel).await?;
                match in_order {
                    Some(written) => Ok(written),
                    None => sql::run(&inner.sessions, &job, scratch, &cancel).await,
                }
            };
            measured(run).await
        };
        self.threads.run(work.instrument(info_span!("query.sql", rows = Empty, bytes = Empty))).await
    }

    async fn transform(
        &self,
        step: TransformStep,
        input: &Table,
        scratch: PathBuf,
        cancel: CancellationToken,
    ) -> Result<Written, TableError> {
        let (inner, input) = (self.inner(), input.clone());
        let scratch = inner.scratch(scratch);
        let span = info_span!("query.transform", plugin = step.binding.image.label, rows = Empty, bytes = Empty);
        let work = async move {
            let planned = transform::plan(Arc::clone(&inner.plugins), step, &input, inner.partitions).await?;
            let writer = TableWriter::new(planned.output.clone(), scratch)?;
            let rows = planned.run(inner.sessions.context(1).task_ctx())?;
            measured(Sink::start(writer, None).write(rows, &cancel)).await
        };
        self.threads.run(work.instrument(span)).await
    }

    async fn fit(&self, step: FitStep, input: &Table, cancel: CancellationToken) -> Result<Fitted, TableError> {
        let (inner, input) = (self.inner(), input.clone());
        let plugin = step.binding.image.label.clone();
        let span = info_span!("query.fit", plugin, rows = input.rows, bytes = bytes(&input), chunks = Empty);
        let work = async move {
            let options = ScanOptions {
                columns: Some(fit_columns(&step.binding).into_iter().map(|field| field.name).collect()),
                splits: step.split.into_iter().collect(),
                batch_rows: limits::PLUGIN_BATCH_ROWS_MAX,
                ..ScanOptions::default()
            };
            let rows = scan::scan(Arc::clone(&inner.blobs), input, options).await?;
            fit::fit(Arc::clone(&inner.plugins), step, rows, inner.partitions, &cancel).await
        };
        self.threads.run(work.instrument(span)).await
    }

    fn scan(&self, table: &Table, options: ScanOptions) -> BatchStream {
        let span = info_span!("query.scan", rows = table.rows, bytes = bytes(table));
        self.threads.stream(scan::scan(Arc::clone(&self.inner.blobs), table.clone(), options).instrument(span))
    }

    async fn projector(&self, step: &SqlStep, input: &Schema) -> Result<Arc<dyn Projector>, TableError> {
        let (inner, step, input) = (self.inner(), step.clone(), input.clone());
        let work = async move { sql::projector(&inner.sessions, &step, &input).await };
        self.threads.run(work.instrument(info_span!("query.projector"))).await
    }

    async fn query(&self, request: QueryRequest) -> Result<(Schema, BatchStream), TableError> {
        let inner = self.inner();
        let span = info_span!("query.query", rows_max = request.rows_max);
        let work = async move { query::query(&inner.sessions, inner.partitions, request).await };
        let (schema, rows) = self.threads.run(work.instrument(span)).await?;
        Ok((schema, self.threads.stream(async move { Ok(rows) })))
    }

    fn encode(&self, schema: &Schema, batches: BatchStream, format: RowsFormat) -> EncodedStream {
        let schema = schema.clone();
        self.threads.stream(async move { Ok(encode::encode(&schema, batches, format).boxed()) })
    }
}

/// Notes on the current span what an operation wrote.
async fn measured(work: impl Future<Output = Result<Written, TableError>>) -> Result<Written, TableError> {
    let written = work.await?;
    let span = Span::current();
    span.record("rows", written.rows);
    span.record("bytes", written.files.iter().map(|file| file.bytes).sum::<u64>());
    Ok(written)
}

fn bytes(table: &Table) -> u64 {
    table.files.iter().map(|file| file.bytes).sum()
}
