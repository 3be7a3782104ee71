//! Stored tables as DataFusion sees them: Parquet files by digest, under a private URL.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use futures::future::{BoxFuture, FutureExt, TryFutureExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tiegel_engine::arrow_schema;
use tiegel_types::{FileRef, Schema, Table};

/// No statement can name this URL: tables of other URLs are not enabled.
const BLOBS_URL: &str = "tiegel-blobs://blobs";

pub(crate) fn blobs_url() -> ObjectStoreUrl {
    ObjectStoreUrl::parse(BLOBS_URL).expect("the constant is a URL")
}

/// A stored table. Its files are one partition in their order, which DataFusion may split further.
#[derive(Debug)]
pub(crate) struct StoredTable {
    schema: SchemaRef,
    files: Vec<FileRef>,
    rows: u64,
}

impl StoredTable {
    pub(crate) fn new(table: &Table) -> Self {
        Self { schema: arrow_schema(&table.schema), files: table.files.clone(), rows: table.rows }
    }

    /// A table without files, to plan against.
    pub(crate) fn empty(schema: &Schema) -> Self {
        Self { schema: arrow_schema(schema), files: Vec::new(), rows: 0 }
    }

    /// Reads some columns in the order of the rows, on one partition.
    pub(crate) fn read(&self, projection: Option<Vec<usize>>, limit: Option<usize>) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.files.iter().map(|file| PartitionedFile::new(file.digest.blob_path(), file.bytes)).collect();
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Exact(self.rows as usize);
        let source = ParquetSource::new(Arc::clone(&self.schema));
        let config = FileScanConfigBuilder::new(blobs_url(), Arc::new(source))
            .with_file_group(FileGroup::new(files))
            .with_statistics(statistics)
            .with_projection_indices(projection)?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.read(projection.cloned(), limit)
    }
}

/// Reads ranges of one blob, for the Parquet reader.
#[derive(Clone)]
pub(crate) struct BlobReader {
    pub blobs: Arc<dyn ObjectStore>,
    pub path: Path,
    /// Its length, which saves asking for it.
    pub bytes: u64,
}

impl AsyncFileReader for BlobReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        self.blobs.get_range(&self.path, range).map_err(external).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move { self.blobs.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        let bytes = self.bytes;
        let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options);
        async move { reader.load_and_finish(self, bytes).await.map(Arc::new) }.boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
