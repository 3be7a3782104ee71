use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use tiegel_engine::{Order, TrainRequest, TrainingData};
use tiegel_types::{Split, Task};

use crate::columns::{Columns, Place, first_null};
use crate::error::{Result, invalid};
use crate::layout::InputLayout;
use crate::vocabulary::Vocabulary;

/// Rows asked of the data at a time, and bytes of their inputs.
const READ_ROWS_MAX: usize = 8_192;
const READ_BYTES_MAX: usize = 64 << 20;

/// Rows as the model reads them: row-major inputs, category indices, target and weight.
#[derive(Clone, Default)]
pub(crate) struct Examples {
    pub(crate) numeric_len: usize,
    pub(crate) categories_len: usize,
    /// `rows x numeric_len`
    pub(crate) numeric: Vec<f32>,
    /// `rows x categories_len`
    pub(crate) categories: Vec<u32>,
    pub(crate) targets: Vec<f64>,
    /// What each row counts in the loss: its weight times the weight of its class.
    pub(crate) weights: Vec<f64>,
}

impl Examples {
    /// An empty set of rows of the same shape.
    pub(crate) fn like(&self, rows_expected: usize) -> Self {
        Self {
            numeric_len: self.numeric_len,
            categories_len: self.categories_len,
            numeric: Vec::with_capacity(rows_expected * self.numeric_len),
            categories: Vec::with_capacity(rows_expected * self.categories_len),
            targets: Vec::with_capacity(rows_expected),
            weights: Vec::with_capacity(rows_expected),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    pub(crate) fn push(&mut self, from: &Examples, row: usize) {
        let (n, c) = (from.numeric_len, from.categories_len);
        self.numeric.extend_from_slice(&from.numeric[row * n..(row + 1) * n]);
        self.categories.extend_from_slice(&from.categories[row * c..(row + 1) * c]);
        self.targets.push(from.targets[row]);
        self.weights.push(from.weights[row]);
    }

    pub(crate) fn replace(&mut self, at: usize, from: &Examples, row: usize) {
        let (n, c) = (from.numeric_len, from.categories_len);
        self.numeric[at * n..(at + 1) * n].copy_from_slice(&from.numeric[row * n..(row + 1) * n]);
        self.categories[at * c..(at + 1) * c].copy_from_slice(&from.categories[row * c..(row + 1) * c]);
        self.targets[at] = from.targets[row];
        self.weights[at] = from.weights[row];
    }

    /// Removes a row by moving the last into its place.
    pub(crate) fn swap_remove(&mut self, at: usize) {
        let (n, c, last) = (self.numeric_len, self.categories_len, self.len() - 1);
        self.numeric.copy_within(last * n.., at * n);
        self.numeric.truncate(last * n);
        self.categories.copy_within(last * c.., at * c);
        self.categories.truncate(last * c);
        self.targets.swap_remove(at);
        self.weights.swap_remove(at);
    }
}

/// Streams the rows of some splits.
pub(crate) struct Reader<'a> {
    pub(crate) request: &'a TrainRequest,
    pub(crate) data: &'a dyn TrainingData,
    pub(crate) layout: &'a InputLayout,
    pub(crate) splits: &'a [Split],
}

impl<'a> Reader<'a> {
    /// The batches as they are, with the number of rows before each.
    pub(crate) fn batches(
        &self,
        order: Order,
    ) -> Result<impl Iterator<Item = Result<(u64, RecordBatch)>> + Send + use<>> {
        let row_bytes = size_of::<f32>() * self.layout.inputs().max(1);
        let rows = (READ_BYTES_MAX / row_bytes).clamp(1, READ_ROWS_MAX);
        let mut rows_before = 0;
        Ok(self.data.batches(self.splits, order, rows)?.map(move |batch| {
            let batch = batch?;
            let first = rows_before;
            rows_before += batch.num_rows() as u64;
            Ok((first, batch))
        }))
    }

    pub(crate) fn examples(
        &'a self,
        order: Order,
        vocabularies: &'a [Vocabulary],
    ) -> Result<impl Iterator<Item = Result<Examples>> + Send + 'a> {
        let of = self.of();
        Ok(self.batches(order)?.map(move |batch| {
            let (rows_before, batch) = batch?;
            self.encode(&batch, Place { rows_before, of: &of }, vocabularies)
        }))
    }

    /// What an error calls these rows.
    pub(crate) fn of(&self) -> String {
        let names: Vec<_> = self.splits.iter().map(|split| split.as_str()).collect();
        format!(" of the {} split", names.join(" and "))
    }

    fn encode(&self, batch: &RecordBatch, place: Place<'_>, vocabularies: &[Vocabulary]) -> Result<Examples> {
        let columns = Columns::new(self.layout, batch, place)?;
        let (targets, weights) = labels(self.request, batch, place)?;
        let (numeric_len, categories_len) = (self.layout.numeric_len, self.layout.categories.len());
        let mut numeric = vec![0.0; columns.rows * numeric_len];
        let mut categories = vec![0; columns.rows * categories_len];
        columns.fill_numbers(0..columns.rows, &mut numeric, numeric_len)?;
        columns.fill_categories(0..columns.rows, vocabularies, &mut categories);
        Ok(Examples { numeric_len, categories_len, numeric, categories, targets, weights })
    }
}

/// The target of every row, and what the row counts in the loss.
pub(crate) fn labels(request: &TrainRequest, batch: &RecordBatch, place: Place<'_>) -> Result<(Vec<f64>, Vec<f64>)> {
    let targets = numbers(batch, &request.target, "target", place)?;
    let mut weights = match &request.weight {
        Some(name) => numbers(batch, name, "weight", place)?,
        None => vec![1.0; targets.len()],
    };
    if let Some(row) = weights.iter().position(|weight| *weight < 0.0) {
        let name = request.weight.as_deref().unwrap_or_default();
        return Err(invalid(format!(
            "weight '{name}' is {} in {}: it must be 0 or more",
            weights[row],
            place.row(row)
        )));
    }
    if request.task == Task::Binary {
        if let Some(row) = targets.iter().position(|target| *target != 0.0 && *target != 1.0) {
            let (name, value, at) = (&request.target, targets[row], place.row(row));
            return Err(invalid(format!(
                "target '{name}' is {value} in {at}: task binary wants false and true, or 0 and 1; a number wants task regression"
            )));
        }
        if let Some(factor) = request.train.positive_weight {
            weights
                .iter_mut()
                .zip(&targets)
                .filter(|(_, target)| **target == 1.0)
                .for_each(|(weight, _)| *weight *= factor);
        }
    }
    Ok((targets, weights))
}

/// A column of finite numbers, as float64.
fn numbers(batch: &RecordBatch, name: &str, role: &str, place: Place<'_>) -> Result<Vec<f64>> {
    let column = batch.column_by_name(name).ok_or_else(|| invalid(format!("{role} column '{name}' is missing")))?;
    if !(column.data_type().is_numeric() || *column.data_type() == DataType::Boolean) {
        let found = column.data_type();
        return Err(invalid(format!(
            "{role} column '{name}' is {found}: make it a number or a boolean, for example in SQL"
        )));
    }
    if let Some(row) = first_null(column) {
        let at = place.row(row);
        return Err(invalid(format!("{role} '{name}' is null in {at}: leave such rows out, for example in SQL")));
    }
    let values: ArrayRef = cast(column, &DataType::Float64).map_err(|e| invalid(format!("{role} '{name}': {e}")))?;
    let values = values.as_primitive::<Float64Type>().values().to_vec();
    if let Some(row) = values.iter().position(|value| !value.is_finite()) {
        let (value, at) = (values[row], place.row(row));
        return Err(invalid(format!("{role} '{name}' is {value} in {at}: leave such rows out, for example in SQL")));
    }
    Ok(values)
}
