//! The plan node that streams record batches through a plugin.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use tiegel_engine::{PluginFailure, TableError, Transformer, arrow_schema};
use tiegel_types::{Schema, limits};

use super::ordered::transform_ordered;
use super::payload::TransformPayload;
use crate::closed::batch_of;
use crate::error::{from_datafusion, internal};
use crate::fit::typed;
use crate::runtime::blocking;

/// A plugin over one partition of its input. What it is, is all in the payload; the rest are handles of this machine.
pub(super) struct WasmTransformExec {
    payload: Arc<TransformPayload>,
    transformer: Arc<dyn Transformer>,
    /// Instances that may run at once.
    instances: usize,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl WasmTransformExec {
    pub(super) fn new(
        payload: Arc<TransformPayload>,
        transformer: Arc<dyn Transformer>,
        instances: usize,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        let schema = arrow_schema(&payload.schema());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { payload, transformer, instances, input, properties: Arc::new(properties) }
    }

    fn row_wise(&self, batches: SendableRecordBatchStream) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = match self.transformer.preferred_rows() {
            0 => limits::PLUGIN_BATCH_ROWS_MAX,
            rows => rows.min(limits::PLUGIN_BATCH_ROWS_MAX),
        };
        let call = Arc::new(Call::new(Arc::clone(&self.payload), Arc::clone(&self.transformer)));
        of_rows(batches, rows)
            .map(move |batch| {
                let call = Arc::clone(&call);
                async move {
                    let (first_row, batch) = batch?;
                    blocking(move || call.transform(first_row, &batch)).await.map_err(external)
                }
            })
            .buffered(self.instances)
            .boxed()
    }
}

impl ExecutionPlan for WasmTransformExec {
    fn name(&self) -> &'static str {
        "WasmTransformExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.pop().ok_or_else(|| DataFusionError::Internal("a plugin step has one input".into()))?;
        Ok(Arc::new(Self::new(Arc::clone(&self.payload), Arc::clone(&self.transformer), self.instances, input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.input.execute(partition, context)?;
        let output = if self.payload.ordering.is_some() {
            transform_ordered(&self.payload, Arc::clone(&self.transformer), input).map_err(external).boxed()
        } else {
            self.row_wise(input)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), output)))
    }
}

impl fmt::Debug for WasmTransformExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmTransformExec")
            .field("payload", &self.payload)
            .field("input", &self.input)
            .finish_non_exhaustive()
    }
}

impl DisplayAs for WasmTransformExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WasmTransformExec: plugin={}, ordered={}", self.payload.label, self.payload.ordering.is_some())
    }
}

fn external(error: TableError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// One call of a row-wise plugin, and what it needs besides the rows.
struct Call {
    payload: Arc<TransformPayload>,
    transformer: Arc<dyn Transformer>,
    input: SchemaRef,
    output: SchemaRef,
}

impl Call {
    fn new(payload: Arc<TransformPayload>, transformer: Arc<dyn Transformer>) -> Self {
        let (input, output) = (arrow_schema(&payload.input), arrow_schema(&payload.schema()));
        Self { payload, transformer, input, output }
    }

    fn transform(&self, first_row: u64, batch: &RecordBatch) -> Result<RecordBatch, TableError> {
        let answer = self.transformer.transform(&typed(batch, &self.input)?);
        let answer = answer.map_err(|failure| at_row(failure, first_row))?;
        if answer.num_rows() != batch.num_rows() {
            return Err(internal(
                &format!("plugin {} is row-wise", self.payload.label),
                format!("it answered {} rows for {}", answer.num_rows(), batch.num_rows()),
            ));
        }
        let passed =
            |name: &str| batch.column_by_name(name).cloned().ok_or_else(|| internal("a column was not read", name));
        let mut columns = self.payload.passed.names().map(passed).collect::<Result<Vec<_>, _>>()?;
        columns.extend(answer.columns().iter().cloned());
        batch_of(Arc::clone(&self.output), columns, batch.num_rows())
            .map_err(|e| internal(&format!("the output of plugin {} does not fit its schema", self.payload.label), e))
    }
}

/// Counts the row of a refusal from the table's first row instead of the batch's.
fn at_row(failure: PluginFailure, first_row: u64) -> PluginFailure {
    match failure {
        PluginFailure::Refused { plugin, code, message, column, row: Some(row) } => {
            PluginFailure::Refused { plugin, code, message, column, row: Some(first_row + row) }
        }
        other => other,
    }
}

/// Cuts batches to `rows` rows each but the last, and numbers them by their first row.
pub(super) fn of_rows(
    batches: SendableRecordBatchStream,
    rows: usize,
) -> impl futures::Stream<Item = Result<(u64, RecordBatch)>> + Send {
    let cutter = BatchCoalescer::new(batches.schema(), rows);
    stream::try_unfold((Some(batches), cutter, 0), |(mut batches, mut cutter, first_row)| async move {
        loop {
            if let Some(batch) = cutter.next_completed_batch() {
                let next_row = first_row + batch.num_rows() as u64;
                return Ok(Some(((first_row, batch), (batches, cutter, next_row))));
            }
            let Some(source) = &mut batches else { return Ok(None) };
            match source.try_next().await? {
                Some(batch) => cutter.push_batch(batch)?,
                None => {
                    cutter.finish_buffered_batch()?;
                    batches = None;
                }
            }
        }
    })
}

/// The rows of a plan's stream in the plugin's input types.
pub(super) fn plugin_inputs(
    batches: SendableRecordBatchStream,
    input: &Schema,
) -> impl futures::Stream<Item = Result<RecordBatch, TableError>> + Send + use<> {
    let schema = arrow_schema(input);
    of_rows(batches, limits::PLUGIN_BATCH_ROWS_MAX)
        .map(move |batch| typed(&batch.map_err(|error| from_datafusion(&error))?.1, &schema))
}
