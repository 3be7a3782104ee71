//! Fits a plugin over fixed chunks of rows, in parallel, merged in order.
//!
//! A chunk is the next `FIT_CHUNK_ROWS` rows of the split, in batches of `PLUGIN_BATCH_ROWS_MAX`, whatever the row
//! groups and the number of threads: the same rows give the same partials in the same order, and so the same state.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use futures::stream::{self, StreamExt, TryStreamExt};
use tiegel_engine::{BatchStream, Binding, FitRows, FitStep, Fitted, PluginHost, TableError, arrow_schema};
use tiegel_types::{Field, Schema, limits};
use tokio_util::sync::CancellationToken;

use crate::closed::{batch_of, closed_column};
use crate::error::{internal, invalid};
use crate::runtime::blocking;

const BATCHES_PER_CHUNK: usize = limits::FIT_CHUNK_ROWS / limits::PLUGIN_BATCH_ROWS_MAX;

/// Fits over `rows`, which hold the columns of `fit_columns`, with at most `threads` chunks in the plugin at once.
pub(crate) async fn fit(
    plugins: Arc<dyn PluginHost>,
    step: FitStep,
    rows: BatchStream,
    threads: usize,
    cancel: &CancellationToken,
) -> Result<Fitted, TableError> {
    let binding = Arc::new(step.binding);
    let schema = arrow_schema(&Schema::new(fit_columns(&binding)));
    let partials = chunks(rows, schema)
        .enumerate()
        .map(|(number, chunk)| {
            let (plugins, binding) = (Arc::clone(&plugins), Arc::clone(&binding));
            async move {
                let rows = fit_rows(&binding, &chunk?)?;
                blocking(move || Ok(plugins.partial(&binding, number as u64, &rows)?)).await
            }
        })
        .buffered(threads);
    let partials: Vec<Vec<u8>> = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(TableError::Cancelled),
        partials = partials.try_collect() => partials?,
    };
    if partials.is_empty() {
        let split = step.split.map_or(String::new(), |split| format!(" in split '{split}'"));
        return Err(invalid(format!("plugin {} has no rows to learn from{split}", binding.image.label)));
    }
    let span = tracing::Span::current();
    span.record("chunks", partials.len());
    blocking(move || Ok(plugins.finish(&binding, &partials)?)).await
}

/// The columns that a fit reads: the plugin's inputs, then the target.
pub(crate) fn fit_columns(binding: &Binding) -> Vec<Field> {
    let mut fields = binding.input.fields.clone();
    fields.extend(binding.target.iter().filter(|target| binding.input.field(&target.name).is_none()).cloned());
    fields
}

/// Cuts rows into chunks, each of full batches but the last of all.
fn chunks(rows: BatchStream, schema: SchemaRef) -> stream::BoxStream<'static, Result<Vec<RecordBatch>, TableError>> {
    let cutter = BatchCoalescer::new(Arc::clone(&schema), limits::PLUGIN_BATCH_ROWS_MAX);
    stream::try_unfold((Some(rows), cutter), move |(mut rows, mut cutter)| {
        let schema = Arc::clone(&schema);
        async move {
            let cutting = |e| internal("cutting rows into chunks", e);
            let mut chunk = Vec::with_capacity(BATCHES_PER_CHUNK);
            while chunk.len() < BATCHES_PER_CHUNK {
                if let Some(batch) = cutter.next_completed_batch() {
                    chunk.push(batch);
                    continue;
                }
                let Some(source) = &mut rows else { break };
                match source.try_next().await? {
                    Some(batch) => cutter.push_batch(typed(&batch, &schema)?).map_err(cutting)?,
                    None => {
                        cutter.finish_buffered_batch().map_err(cutting)?;
                        rows = None;
                    }
                }
            }
            Ok((!chunk.is_empty()).then_some((chunk, (rows, cutter))))
        }
    })
    .boxed()
}

/// The batch as the plugin was promised it: a column that was bound as another type is cast.
pub(crate) fn typed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, TableError> {
    let column = |field: &arrow::datatypes::FieldRef| -> Result<ArrayRef, TableError> {
        let column =
            batch.column_by_name(field.name()).ok_or_else(|| internal("a column was not read", field.name()))?;
        let column = closed_column(column, field.data_type())
            .map_err(|e| invalid(format!("column '{}' does not fit the plugin's input: {e}", field.name())))?;
        if !field.is_nullable() && column.null_count() > 0 {
            return Err(invalid(format!(
                "column '{}' holds nulls, which the plugin was promised not to see",
                field.name()
            )));
        }
        Ok(column)
    };
    let columns = schema.fields().iter().map(column).collect::<Result<_, _>>()?;
    batch_of(Arc::clone(schema), columns, batch.num_rows()).map_err(|e| internal("a plugin's input", e))
}

fn fit_rows(binding: &Binding, chunk: &[RecordBatch]) -> Result<FitRows, TableError> {
    let positions: Vec<usize> = (0..binding.input.fields.len()).collect();
    let inputs = |batch: &RecordBatch| batch.project(&positions).map_err(|e| internal("a plugin's input", e));
    let target = |target: &Field| {
        let column = |batch: &RecordBatch| batch.column_by_name(&target.name).cloned();
        chunk
            .iter()
            .map(column)
            .collect::<Option<Vec<ArrayRef>>>()
            .ok_or_else(|| internal("the target was not read", &target.name))
    };
    Ok(FitRows {
        batches: chunk.iter().map(inputs).collect::<Result<_, _>>()?,
        targets: binding.target.as_ref().map(target).transpose()?,
    })
}

#[cfg(test)]
mod tests;
