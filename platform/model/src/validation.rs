use rayon::prelude::*;
use tiegel_engine::{ModelError, Order, TrainObserver};
use tiegel_types::Metrics;

use crate::columns::{Columns, Place};
use crate::error::Result;
use crate::examples::{Reader, labels};
use crate::forward::Forward;
use crate::loss::{TargetScale, row_loss};
use crate::metrics::metrics;

/// Rows that one thread predicts at a time.
const SHARE_ROWS: usize = 1_024;

/// The loss, weighted as in training, and the task's measures on the rows of `reader`. Holds one prediction and one
/// target of every row, not the rows.
pub(crate) fn validate(
    forward: &Forward,
    target: TargetScale,
    reader: &Reader<'_>,
    observer: &dyn TrainObserver,
) -> Result<Metrics> {
    let task = reader.request.task;
    let (mut predictions, mut targets) = (Vec::new(), Vec::new());
    let (mut loss, mut weight) = (0.0, 0.0);
    let of = reader.of();
    for batch in reader.batches(Order::Stored)? {
        if observer.cancelled() {
            return Err(ModelError::Cancelled);
        }
        let (rows_before, batch) = batch?;
        let place = Place { rows_before, of: &of };
        let columns = Columns::new(reader.layout, &batch, place)?;
        let mut outputs = vec![0.0; columns.rows];
        outputs.par_chunks_mut(SHARE_ROWS).enumerate().try_for_each(|(share, outputs)| {
            let start = share * SHARE_ROWS;
            forward.outputs(&columns, start..start + outputs.len(), outputs)
        })?;
        let (batch_targets, weights) = labels(reader.request, &batch, place)?;
        for ((output, row_target), row_weight) in outputs.iter().zip(&batch_targets).zip(&weights) {
            loss += row_weight * row_loss(task, f64::from(*output), target.to_network(*row_target)).0;
            weight += row_weight;
        }
        predictions.extend(outputs.iter().map(|output| target.prediction(task, *output)));
        targets.extend(batch_targets);
    }
    let mut measures = metrics(task, &predictions, &targets)?;
    if weight > 0.0 {
        measures.insert("loss".to_owned(), target.loss_factor() * loss / weight);
    }
    Ok(measures)
}
