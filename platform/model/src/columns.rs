use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::*;
use tiegel_engine::dtype_of;

use crate::error::{Result, invalid};
use crate::layout::InputLayout;
use crate::vocabulary::{Keys, Vocabulary};

/// Rows that are filled at a time, so that the part of the output being written stays in the cache.
const FILL_ROWS: usize = 128;

/// Where a batch lies in its stream, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) rows_before: u64,
    /// What the rows are of, such as ` of the train split`; empty for a request.
    pub(crate) of: &'a str,
}

impl Place<'_> {
    pub(crate) fn row(&self, row: usize) -> String {
        format!("row {} (from 0){}", self.rows_before + row as u64, self.of)
    }
}

/// The feature columns of one batch, found by name and checked for type and nulls.
pub(crate) struct Columns<'a> {
    layout: &'a InputLayout,
    numeric: Vec<Numbers<'a>>,
    categories: Vec<Keys>,
    place: Place<'a>,
    pub(crate) rows: usize,
}

/// The values of a column that becomes float32; `rows x width` of them.
enum Numbers<'a> {
    Boolean(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Uint8(&'a [u8]),
    Uint16(&'a [u16]),
    Uint32(&'a [u32]),
    Uint64(&'a [u64]),
    Float16(&'a [<Float16Type as ArrowPrimitiveType>::Native]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
}

impl<'a> Columns<'a> {
    pub(crate) fn new(layout: &'a InputLayout, batch: &'a RecordBatch, place: Place<'a>) -> Result<Self> {
        let numeric = layout
            .numeric
            .iter()
            .map(|input| {
                let array = column(layout, batch, input.column)?;
                check_nulls(array, &layout.field(input.column).name, place)?;
                Ok(Numbers::new(array))
            })
            .collect::<Result<_>>()?;
        let categories = layout
            .categories
            .iter()
            .map(|input| Keys::new(column(layout, batch, input.column)?))
            .collect::<Result<_>>()?;
        Ok(Self { layout, numeric, categories, place, rows: batch.num_rows() })
    }

    pub(crate) fn keys(&self) -> &[Keys] {
        &self.categories
    }

    /// Writes the numeric inputs of `rows` to the start of each `stride` floats of `out`. A value that is not finite as
    /// float32 is an error.
    pub(crate) fn fill_numbers(&self, rows: Range<usize>, out: &mut [f32], stride: usize) -> Result<()> {
        if self.numeric.is_empty() {
            return Ok(());
        }
        for (block, out) in out.chunks_mut(FILL_ROWS * stride).enumerate() {
            let start = rows.start + block * FILL_ROWS;
            let part = start..rows.end.min(start + FILL_ROWS);
            for (input, numbers) in self.layout.numeric.iter().zip(&self.numeric) {
                let width = self.layout.field(input.column).width as usize;
                numbers.fill(part.clone(), width, &mut out[input.offset..], stride);
            }
            self.check_finite(part.start, out, stride)?;
        }
        Ok(())
    }

    /// Writes the indices of the categorical values of `rows`, a row after the other.
    pub(crate) fn fill_categories(&self, rows: Range<usize>, vocabularies: &[Vocabulary], out: &mut [u32]) {
        if self.categories.is_empty() {
            return;
        }
        for (row, out) in rows.zip(out.chunks_exact_mut(self.categories.len())) {
            for ((index, keys), vocabulary) in out.iter_mut().zip(&self.categories).zip(vocabularies) {
                *index = vocabulary.index(keys, row);
            }
        }
    }

    fn check_finite(&self, first: usize, filled: &[f32], stride: usize) -> Result<()> {
        // No early exit: this form is vectorised.
        let len = self.layout.numeric_len;
        let finite = |row: &[f32]| row[..len].iter().fold(true, |all, v| all & v.is_finite());
        let Some(row) = filled.chunks(stride).position(|row| !finite(row)) else { return Ok(()) };
        let at = (0..len).find(|i| !filled[row * stride + i].is_finite()).unwrap_or(0);
        let input = self.layout.numeric.iter().rfind(|input| input.offset <= at);
        let name = input.map_or("", |input| &self.layout.field(input.column).name);
        let place = self.place.row(first + row);
        Err(invalid(if filled[row * stride + at].is_nan() {
            format!("column '{name}' is NaN in {place}: impute it, for example with the impute plugin")
        } else {
            format!("column '{name}' is infinite as float32 in {place}: scale it or limit it, for example in SQL")
        }))
    }
}

impl<'a> Numbers<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        let array = array.as_fixed_size_list_opt().map_or(array, |list| list.values());
        match array.data_type() {
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Int8 => Self::Int8(array.as_primitive::<Int8Type>().values()),
            DataType::Int16 => Self::Int16(array.as_primitive::<Int16Type>().values()),
            DataType::Int32 => Self::Int32(array.as_primitive::<Int32Type>().values()),
            DataType::Int64 => Self::Int64(array.as_primitive::<Int64Type>().values()),
            DataType::UInt8 => Self::Uint8(array.as_primitive::<UInt8Type>().values()),
            DataType::UInt16 => Self::Uint16(array.as_primitive::<UInt16Type>().values()),
            DataType::UInt32 => Self::Uint32(array.as_primitive::<UInt32Type>().values()),
            DataType::UInt64 => Self::Uint64(array.as_primitive::<UInt64Type>().values()),
            DataType::Float16 => Self::Float16(array.as_primitive::<Float16Type>().values()),
            DataType::Float32 => Self::Float32(array.as_primitive::<Float32Type>().values()),
            DataType::Float64 => Self::Float64(array.as_primitive::<Float64Type>().values()),
            other => unreachable!("InputLayout refuses {other} and `column` compares types"),
        }
    }

    fn fill(&self, rows: Range<usize>, width: usize, out: &mut [f32], stride: usize) {
        let range = rows.start * width..rows.end * width;
        match self {
            Self::Boolean(array) => {
                let values: Vec<bool> = range.map(|i| array.value(i)).collect();
                scatter(&values, width, out, stride, |v| f32::from(u8::from(v)));
            }
            Self::Int8(values) => scatter(&values[range], width, out, stride, f32::from),
            Self::Int16(values) => scatter(&values[range], width, out, stride, f32::from),
            Self::Int32(values) => scatter(&values[range], width, out, stride, |v| v as f32),
            Self::Int64(values) => scatter(&values[range], width, out, stride, |v| v as f32),
            Self::Uint8(values) => scatter(&values[range], width, out, stride, f32::from),
            Self::Uint16(values) => scatter(&values[range], width, out, stride, f32::from),
            Self::Uint32(values) => scatter(&values[range], width, out, stride, |v| v as f32),
            Self::Uint64(values) => scatter(&values[range], width, out, stride, |v| v as f32),
            Self::Float16(values) => scatter(&values[range], width, out, stride, |v| v.to_f32()),
            Self::Float32(values) => scatter(&values[range], width, out, stride, |v| v),
            Self::Float64(values) => scatter(&values[range], width, out, stride, |v| v as f32),
        }
    }
}

/// Writes `width` values to the start of each `stride` floats.
fn scatter<T: Copy>(values: &[T], width: usize, out: &mut [f32], stride: usize, convert: impl Fn(T) -> f32) {
    if width == 1 {
        for (value, out) in values.iter().zip(out.iter_mut().step_by(stride)) {
            *out = convert(*value);
        }
    } else {
        for (values, out) in values.chunks_exact(width).zip(out.chunks_mut(stride)) {
            for (value, out) in values.iter().zip(out) {
                *out = convert(*value);
            }
        }
    }
}

fn column<'a>(layout: &InputLayout, batch: &'a RecordBatch, index: usize) -> Result<&'a ArrayRef> {
    let field = layout.field(index);
    // Batches mostly hold the columns in the model's order; a search by name costs more than a row's forward pass.
    let schema = batch.schema_ref();
    let array = match schema.fields().get(index) {
        Some(found) if *found.name() == field.name => Some(batch.column(index)),
        _ => batch.column_by_name(&field.name),
    };
    let array = array.ok_or_else(|| invalid(format!("column '{}' is missing: the model needs it", field.name)))?;
    if dtype_of(array.data_type()) != Some((field.dtype, field.width)) {
        return Err(invalid(format!(
            "column '{}' has type {} and the model was made for {} of width {}: cast it",
            field.name,
            array.data_type(),
            field.dtype,
            field.width
        )));
    }
    Ok(array)
}

fn check_nulls(array: &ArrayRef, name: &str, place: Place<'_>) -> Result<()> {
    let refuse = |row: usize| {
        let place = place.row(row);
        Err(invalid(format!("column '{name}' is null in {place}: impute it, for example with the impute plugin")))
    };
    if let Some(row) = first_null(array) {
        return refuse(row);
    }
    if let Some(list) = array.as_fixed_size_list_opt()
        && let Some(item) = first_null(list.values())
    {
        return refuse(item / list.value_length() as usize);
    }
    Ok(())
}

pub(crate) fn first_null(array: &dyn Array) -> Option<usize> {
    if array.null_count() == 0 {
        return None;
    }
    (0..array.len()).find(|row| array.is_null(*row))
}

#[cfg(test)]
mod tests;
