//! DataFusion sessions whose results depend on the data only, never on the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::catalog::{MemorySchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};
use object_store::ObjectStore;
use tiegel_engine::TableError;
use tiegel_types::{Schema, Table};

use crate::blobs::{StoredTable, blobs_url};
use crate::error::{from_datafusion, internal};

/// Bytes on disk that all queries together may spill, as a multiple of their memory.
const SPILL_BYTES_PER_MEMORY_BYTE: u64 = 32;
/// A scan of so many compressed bytes is shared between threads; about one row group of a wide table.
const SHARED_SCAN_BYTES_MIN: usize = 256 << 10;
/// Rows in a batch inside DataFusion.
const BATCH_ROWS: usize = 8_192;

pub(crate) struct Sessions {
    environment: Arc<RuntimeEnv>,
}

impl Sessions {
    pub(crate) fn new(
        memory_bytes_max: usize,
        spill_dir: PathBuf,
        blobs: Arc<dyn ObjectStore>,
    ) -> Result<Self, TableError> {
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![spill_dir]))
            .with_max_temp_directory_size((memory_bytes_max as u64).saturating_mul(SPILL_BYTES_PER_MEMORY_BYTE));
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(memory_bytes_max)))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(|error| internal("setting up the query engine", error))?;
        environment.register_object_store(blobs_url().as_ref(), blobs);
        Ok(Self { environment })
    }

    /// A fresh session without tables.
    pub(crate) fn context(&self, partitions: usize) -> SessionContext {
        let mut config = SessionConfig::new()
            .with_target_partitions(partitions)
            .with_batch_size(BATCH_ROWS)
            .with_repartition_file_min_size(SHARED_SCAN_BYTES_MIN)
            .with_information_schema(false);
        let options = config.options_mut();
        // Texts stay plain utf8, the one text type of a table and of a plugin.
        options.sql_parser.map_string_types_to_utf8view = false;
        options.execution.parquet.schema_force_view_types = false;
        options.execution.time_zone = Some("UTC".into());
        options.execution.planning_concurrency = 1;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.environment))
            .with_default_features()
            .build();
        SessionContext::new_with_state(state)
    }

    pub(crate) fn with_tables(
        &self,
        partitions: usize,
        tables: &BTreeMap<String, Table>,
    ) -> Result<SessionContext, TableError> {
        let context = self.context(partitions);
        for (name, table) in tables {
            register(&context, name, StoredTable::new(table))?;
        }
        Ok(context)
    }

    pub(crate) fn with_schemas(&self, schemas: &BTreeMap<String, Schema>) -> Result<SessionContext, TableError> {
        let context = self.context(1);
        for (name, schema) in schemas {
            register(&context, name, StoredTable::empty(schema))?;
        }
        Ok(context)
    }
}

/// Registers a table under its name. One with a single dot is found unquoted as well, as if it were `schema.table`.
fn register(context: &SessionContext, name: &str, table: StoredTable) -> Result<(), TableError> {
    let table: Arc<dyn TableProvider> = Arc::new(table);
    let planning = |error| from_datafusion(&error);
    context.register_table(TableReference::bare(name), Arc::clone(&table)).map_err(planning)?;
    if let Some((schema, rest)) = name.split_once('.')
        && !rest.contains('.')
    {
        let catalog = context.catalog("datafusion").ok_or_else(|| internal("the session has no catalog", name))?;
        if catalog.schema(schema).is_none() {
            catalog.register_schema(schema, Arc::new(MemorySchemaProvider::new())).map_err(planning)?;
        }
        context.register_table(TableReference::partial(schema, rest), table).map_err(planning)?;
    }
    Ok(())
}
