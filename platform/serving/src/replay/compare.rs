use arrow::array::{Array, ArrayRef, RecordBatch};

use crate::decode::encode;

/// |online - offline| may reach this much plus `RELATIVE_TOLERANCE` of |offline|: a model may sum in another order for
/// another number of rows.
const ABSOLUTE_TOLERANCE: f64 = 1e-6;
const RELATIVE_TOLERANCE: f64 = 1e-5;

pub(super) struct Found {
    /// In the batch.
    pub row: usize,
    pub column: String,
    pub expected: String,
    pub got: String,
}

/// The first cell, column by column, whose bytes or nullness differ. Both batches have the same columns.
pub(super) fn first_difference(expected: &RecordBatch, got: &RecordBatch) -> Option<Found> {
    let schema = expected.schema();
    let columns = expected.columns().iter().zip(got.columns()).zip(schema.fields());
    columns.into_iter().find_map(|((expected, got), field)| {
        let row = differing_row(expected, got)?;
        Some(Found { row, column: field.name().clone(), expected: shown(expected, row), got: shown(got, row) })
    })
}

/// Whether row i of one batch has the same columns with the same bytes as row j of another.
pub(super) fn same_row((a, i): (&RecordBatch, usize), (b, j): (&RecordBatch, usize)) -> bool {
    let pairs = a.columns().iter().zip(b.columns());
    a.num_columns() == b.num_columns()
        && pairs.into_iter().all(|(a, b)| a.slice(i, 1).to_data() == b.slice(j, 1).to_data())
}

/// Whether both batches have the column, with the same bytes.
pub(super) fn same_column(a: &RecordBatch, b: &RecordBatch, column: &str) -> bool {
    match (a.column_by_name(column), b.column_by_name(column)) {
        (Some(a), Some(b)) => a.to_data() == b.to_data(),
        _ => false,
    }
}

pub(super) fn same_prediction(offline: f64, online: f64) -> bool {
    let tolerance = ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * offline.abs();
    offline.to_bits() == online.to_bits() || (online - offline).abs() <= tolerance
}

/// Arrow compares the data of floats by their bytes, so -0.0 differs from 0.0 and a NaN equals itself.
fn differing_row(expected: &ArrayRef, got: &ArrayRef) -> Option<usize> {
    if expected.to_data() == got.to_data() {
        return None;
    }
    let row = |row: &usize| expected.slice(*row, 1).to_data() != got.slice(*row, 1).to_data();
    Some((0..expected.len().min(got.len())).find(row).unwrap_or(0))
}

fn shown(array: &ArrayRef, row: usize) -> String {
    encode(array, row).map_or_else(|| format!("a value of type {}", array.data_type()), |value| value.to_string())
}
