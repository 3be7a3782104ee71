use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use tiegel_engine::Predictor;
use tiegel_types::{Schema, Task};

use crate::artifact::LoadedModel;
use crate::columns::{Columns, Place};
use crate::error::Result;

/// A loaded model. It runs on the calling thread: one row takes microseconds, and the caller decides what is parallel.
pub(crate) struct LocalPredictor {
    pub(crate) model: LoadedModel,
}

impl Predictor for LocalPredictor {
    fn features(&self) -> &Schema {
        &self.model.config.features
    }

    fn task(&self) -> Task {
        self.model.config.task
    }

    fn predict(&self, features: &RecordBatch) -> Result<ArrayRef> {
        let rows = features.num_rows();
        let _span = tracing::info_span!("model.forward", rows).entered();
        let columns = Columns::new(&self.model.layout, features, Place { rows_before: 0, of: "" })?;
        let mut outputs = vec![0.0; rows];
        self.model.forward.outputs(&columns, 0..rows, &mut outputs)?;
        let (task, target) = (self.task(), self.model.config.target);
        Ok(Arc::new(Float64Array::from_iter_values(outputs.into_iter().map(|z| target.prediction(task, z)))))
    }
}
