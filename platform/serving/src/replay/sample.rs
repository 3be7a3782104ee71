use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use futures::TryStreamExt;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tiegel_context::{Ctx, OpError, OpResult};
use tiegel_engine::{ScanOptions, arrow_schema};
use tiegel_registry::Bundle;
use tiegel_types::limits::REPLAY_ROWS_MAX;
use tiegel_types::{Schema, Table};

/// Windows that are read of a table with more than `REPLAY_ROWS_MAX` rows.
const WINDOWS: usize = 20;

/// Stored raw rows and the features that training saw for them, side by side.
pub(crate) struct Sample {
    pub raw: RecordBatch,
    pub features: RecordBatch,
    /// Where each row stands in the stored tables.
    pub rows: Vec<u64>,
}

/// Reads all rows, or windows drawn from the seed, one from each equal part of the table.
pub(super) async fn read(ctx: &Ctx, bundle: &Bundle, seed: u64) -> OpResult<Sample> {
    let (raw, features) = (&bundle.replay.raw, &bundle.replay.features);
    if raw.rows != features.rows {
        let message = format!(
            "the stored tables for the replay have {} raw and {} feature rows; train the model again",
            raw.rows, features.rows
        );
        return Err(OpError::invalid("replay_tables", message));
    }
    let windows = windows(raw.rows as usize, seed);
    let raw = read_windows(ctx, raw, &bundle.input, &windows).await?;
    let features = read_windows(ctx, features, &bundle.model.features, &windows).await?;
    let rows = windows.iter().flat_map(|w| w.start as u64..w.end as u64).collect();
    Ok(Sample { raw, features, rows })
}

fn windows(rows: usize, seed: u64) -> Vec<std::ops::Range<usize>> {
    if rows <= REPLAY_ROWS_MAX {
        return std::iter::once(0..rows).collect();
    }
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let length = REPLAY_ROWS_MAX / WINDOWS;
    let window = |part: usize| {
        let (from, to) = (rows * part / WINDOWS, rows * (part + 1) / WINDOWS);
        let start = rng.random_range(from..=to - length);
        start..start + length
    };
    (0..WINDOWS).map(window).collect()
}

async fn read_windows(
    ctx: &Ctx,
    table: &Table,
    columns: &Schema,
    windows: &[std::ops::Range<usize>],
) -> OpResult<RecordBatch> {
    let mut batches = Vec::new();
    for window in windows.iter().filter(|w| !w.is_empty()) {
        let options = ScanOptions {
            columns: Some(columns.names().map(str::to_owned).collect()),
            batch_rows: REPLAY_ROWS_MAX,
            limit: Some(window.len()),
            offset: window.start,
            ..ScanOptions::default()
        };
        let read: Vec<RecordBatch> = ctx.tables.scan(table, options).try_collect().await?;
        let rows: usize = read.iter().map(RecordBatch::num_rows).sum();
        if rows != window.len() {
            let message =
                format!("rows {} to {} of a stored table were asked for, {rows} came", window.start, window.end);
            return Err(OpError::internal(message));
        }
        for batch in read {
            batches.push(arranged(&batch, columns)?);
        }
    }
    concat_batches(&arrow_schema(columns), &batches)
        .map_err(|e| OpError::internal(format!("cannot join stored rows: {e}")))
}

/// The columns by name, in the order wanted.
fn arranged(batch: &RecordBatch, columns: &Schema) -> OpResult<RecordBatch> {
    let column = |name: &str| -> OpResult<ArrayRef> {
        let column = batch.column_by_name(name).cloned();
        column.ok_or_else(|| OpError::internal(format!("column '{name}' is not in the stored table")))
    };
    let arrays = columns.names().map(column).collect::<OpResult<Vec<_>>>()?;
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(arrow_schema(columns), arrays, &options)
        .map_err(|e| OpError::internal(format!("stored columns do not fit the bundle's schema: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_cover_the_whole_table_without_overlap_and_depend_on_the_seed() {
        assert_eq!(windows(7, 1), vec![0..7]);
        let drawn = windows(336_776, 1);
        assert_eq!(drawn.iter().map(|w| w.len()).sum::<usize>(), REPLAY_ROWS_MAX);
        assert!(drawn.windows(2).all(|pair| pair[0].end <= pair[1].start));
        assert!(drawn[19].end <= 336_776 && drawn[19].start >= 336_776 * 19 / 20);
        assert_ne!(drawn, windows(336_776, 2));
        assert_eq!(windows(REPLAY_ROWS_MAX + 1, 3).len(), WINDOWS);
    }
}
