//! Stored tables as DataFusion sees them: Parquet files by digest, under a private URL.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
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
