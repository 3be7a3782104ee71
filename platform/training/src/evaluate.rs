use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use tiegel_engine::{ModelEngine, ModelError, Order, Predictor, TrainingData};
use tiegel_types::{Metrics, Schema, Split, Task};

/// Rows in one forward pass.
const BATCH_ROWS: usize = 4_096;

pub struct Evaluation<'a> {
    pub engine: &'a dyn ModelEngine,
    pub predictor: Arc<dyn Predictor>,
    pub task: Task,
    pub features: &'a Schema,
    pub target: &'a str,
}

impl Evaluation<'_> {
    /// The measures over one split; none where it has no rows.
    pub fn run(&self, data: &dyn TrainingData, split: Split) -> Result<Option<Metrics>, ModelError> {
        let (mut predictions, mut targets) = (Vec::new(), Vec::new());
        for batch in data.batches(&[split], Order::Stored, BATCH_ROWS)? {
            let batch = batch?;
            predictions.extend(floats(&self.predictor.predict(&self.features_of(&batch)?)?, "prediction")?);
            let target = batch
                .column_by_name(self.target)
                .ok_or_else(|| ModelError::Internal(format!("the rows have no column '{}'", self.target)))?;
            targets.extend(floats(target, self.target)?);
        }
        if targets.is_empty() {
            return Ok(None);
        }
        let mut metrics = self.engine.metrics(self.task, &predictions, &targets)?;
        metrics.insert("rows".to_owned(), targets.len() as f64);
        Ok(Some(metrics))
    }

    fn features_of(&self, batch: &RecordBatch) -> Result<RecordBatch, ModelError> {
        let index = |name: &str| batch.schema().index_of(name).map_err(|e| ModelError::Internal(e.to_string()));
        let indices: Vec<_> = self.features.names().map(index).collect::<Result<_, _>>()?;
        batch.project(&indices).map_err(|e| ModelError::Internal(e.to_string()))
    }
}

fn floats(column: &dyn Array, name: &str) -> Result<Vec<f64>, ModelError> {
    let column = cast(column, &DataType::Float64).map_err(|e| ModelError::Invalid(format!("column '{name}': {e}")))?;
    if column.null_count() > 0 {
        return Err(ModelError::Invalid(format!("column '{name}' has nulls; filter those rows out in SQL")));
    }
    Ok(column.as_primitive::<Float64Type>().values().to_vec())
}
