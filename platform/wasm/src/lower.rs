//! Arrow to guest: the physical buffers of each column, without a copy wherever a slice starts on a byte.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer, ScalarBuffer};
use arrow::compute;
use arrow::datatypes::DataType;
use tiegel_engine::{PluginFailure, arrow_field, dtype_of};
use tiegel_types::{DType, Field, Schema};

use crate::bindings::types::{BatchParam, ColumnParam};
use crate::call::Load;
use crate::fault::refused_input;

/// A column's buffers as the contract has them: bitmaps start at bit 0, offsets at 0.
pub struct LoweredColumn {
    data: Buffer,
    validity: Option<Buffer>,
    offsets: Option<Buffer>,
}

pub struct LoweredBatch {
    rows: usize,
    columns: Vec<LoweredColumn>,
}

impl LoweredBatch {
    /// The columns that `schema` names, in its order.
    pub fn new(plugin: &str, schema: &Schema, batch: &RecordBatch) -> Result<Self, PluginFailure> {
        let column = |(index, field): (usize, &Field)| {
            let found = match batch.schema_ref().fields().get(index) {
                Some(candidate) if candidate.name() == &field.name => Some(batch.column(index)),
                _ => batch.column_by_name(&field.name),
            };
            let array = found.ok_or_else(|| refused_input(plugin, "the batch lacks a column", &field.name))?;
            lower_column(plugin, field, array)
        };
        let columns = schema.fields.iter().enumerate().map(column).collect::<Result<_, _>>()?;
        Ok(Self { rows: batch.num_rows(), columns })
    }

    /// Whatever these columns are: nothing is checked.
    pub fn raw(rows: usize, columns: Vec<LoweredColumn>) -> Self {
        Self { rows, columns }
    }

    pub fn params(&self) -> Vec<ColumnParam<'_>> {
        self.columns.iter().map(LoweredColumn::param).collect()
    }

    /// The batch over `columns`, which are this batch's `params`.
    pub fn param<'a>(&self, columns: &'a [ColumnParam<'a>]) -> BatchParam<'a> {
        BatchParam { rows: self.rows as u32, columns }
    }

    /// What its call is charged with.
    pub fn load(&self) -> Load {
        Load { rows: self.rows, bytes: self.columns.iter().map(LoweredColumn::bytes).sum() }
    }
}

impl LoweredColumn {
    /// Whatever these bytes are: nothing is checked.
    pub fn raw(data: Vec<u8>, validity: Option<Vec<u8>>, offsets: Option<Vec<u8>>) -> Self {
        let (validity, offsets) = (validity.map(Buffer::from_vec), offsets.map(Buffer::from_vec));
        Self { data: Buffer::from_vec(data), validity, offsets }
    }

    pub fn param(&self) -> ColumnParam<'_> {
        ColumnParam { data: &self.data, validity: self.validity.as_deref(), offsets: self.offsets.as_deref() }
    }

    fn bytes(&self) -> usize {
        let buffer = |buffer: &Option<Buffer>| buffer.as_ref().map_or(0, Buffer::len);
        self.data.len() + buffer(&self.validity) + buffer(&self.offsets)
    }
}

pub fn lower_column(plugin: &str, field: &Field, array: &ArrayRef) -> Result<LoweredColumn, PluginFailure> {
    let array = as_declared(plugin, field, array)?;
    let validity = match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        Some(_) if !field.nullable => {
            return Err(refused_input(plugin, "a column declared without nulls has one", &field.name));
        }
        nulls => nulls.map(|nulls| bits(nulls.inner())),
    };
    let (data, offsets) = match array.data_type() {
        DataType::Boolean => (bits(array.as_boolean().values()), None),
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            rebase(array.offsets().inner(), array.values())
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            rebase(array.offsets().inner(), array.values())
        }
        DataType::FixedSizeList(..) => {
            let items = array.as_fixed_size_list().values();
            if items.null_count() > 0 {
                return Err(refused_input(plugin, "a list has a null inside", &field.name));
            }
            (fixed_bytes(field, items), None)
        }
        _ => (fixed_bytes(field, &array), None),
    };
    Ok(LoweredColumn { data, validity, offsets })
}

/// The array in the declared type: as it is, or cast where another Arrow type holds the same values.
fn as_declared(plugin: &str, field: &Field, array: &ArrayRef) -> Result<ArrayRef, PluginFailure> {
    if dtype_of(array.data_type()) == Some((field.dtype, field.width)) {
        return Ok(ArrayRef::clone(array));
    }
    let wanted = arrow_field(field);
    let same_values = matches!(
        (array.data_type(), field.dtype),
        (DataType::Utf8View | DataType::LargeUtf8, DType::Utf8)
            | (DataType::BinaryView | DataType::LargeBinary, DType::Binary)
            | (DataType::Timestamp(..), DType::TimestampUs)
            | (DataType::Dictionary(..), _)
    );
    let cast = same_values.then(|| compute::cast(array, wanted.data_type()));
    cast.and_then(Result::ok).ok_or_else(|| {
        let message =
            format!("the column is {}; {} of width {} is needed", array.data_type(), field.dtype, field.width);
        refused_input(plugin, message, &field.name)
    })
}

/// Bits from bit 0 on. Those after the last row are cleared: of a slice they would show other rows.
fn bits(bits: &BooleanBuffer) -> Buffer {
    let mut bytes = bits.sliced();
    let tail = bits.len() % 8;
    let mask = (1u8 << tail) - 1;
    if tail > 0 && bytes.last().is_some_and(|last| last & !mask != 0) {
        let mut cleared = bytes.to_vec();
        cleared.last_mut().iter_mut().for_each(|last| **last &= mask);
        bytes = Buffer::from_vec(cleared);
    }
    bytes
}

/// The values of a sliced array alone.
fn fixed_bytes(field: &Field, array: &ArrayRef) -> Buffer {
    let bytes = field.dtype.fixed_bytes().unwrap_or(1);
    let data = array.to_data();
    data.buffers()[0].slice_with_length(data.offset() * bytes, data.len() * bytes)
}

/// Offsets that start at 0, and the bytes they cut.
fn rebase(offsets: &ScalarBuffer<i32>, values: &Buffer) -> (Buffer, Option<Buffer>) {
    let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
    let data = values.slice_with_length(first as usize, (last - first) as usize);
    let offsets = if first == 0 {
        offsets.inner().clone()
    } else {
        Buffer::from_vec(offsets.iter().map(|offset| offset - first).collect::<Vec<i32>>())
    };
    (data, Some(offsets))
}
