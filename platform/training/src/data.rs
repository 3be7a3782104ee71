use futures::StreamExt;
use tiegel_context::Ctx;
use tiegel_engine::{ModelError, Order, RowBatches, ScanOptions, ScanOrder, TableError, TrainingData};
use tiegel_types::{Split, Table};
use tokio::runtime::Handle;

/// A stored table as training data: streams from Parquet, as often as it is asked to.
pub struct StoredRows {
    pub ctx: Ctx,
    pub table: Table,
    /// Features, target and weight.
    pub columns: Vec<String>,
    /// Whether the table has the split column; without one, all rows are train.
    pub has_split: bool,
    pub runtime: Handle,
}

impl TrainingData for StoredRows {
    fn batches(&self, splits: &[Split], order: Order, batch_rows: usize) -> Result<RowBatches, ModelError> {
        if !self.has_split && !splits.contains(&Split::Train) {
            return Ok(Box::new(std::iter::empty()));
        }
        let options = ScanOptions {
            columns: Some(self.columns.clone()),
            splits: if self.has_split { splits.to_vec() } else { vec![] },
            order: match order {
                Order::Stored => ScanOrder::Stored,
                Order::Shuffled { seed } => ScanOrder::RowGroupsShuffled { seed },
            },
            batch_rows,
            ..ScanOptions::default()
        };
        let _runtime = self.runtime.enter();
        let mut stream = self.ctx.tables.scan(&self.table, options);
        let runtime = self.runtime.clone();
        let next = move || runtime.block_on(stream.next()).map(|batch| batch.map_err(model_error));
        Ok(Box::new(std::iter::from_fn(next)))
    }

    fn rows(&self, splits: &[Split]) -> Result<u64, ModelError> {
        let mut rows = 0;
        for batch in self.batches(splits, Order::Stored, 65_536)? {
            rows += batch?.num_rows() as u64;
        }
        Ok(rows)
    }
}

fn model_error(error: TableError) -> ModelError {
    match error {
        TableError::Cancelled => ModelError::Cancelled,
        TableError::Internal(message) => ModelError::Internal(message),
        other => ModelError::Invalid(other.to_string()),
    }
}
