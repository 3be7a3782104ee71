use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, FixedSizeListArray, NullBufferBuilder, PrimitiveArray, StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use serde_json::Value;
use tiegel_engine::arrow_field;
use tiegel_types::{DType, Field};

use super::value::{self, Form};

/// One row's value of a column.
#[derive(Clone, Copy)]
pub(super) enum Cell<'a> {
    /// The row does not name the column.
    Missing,
    Null,
    Value(&'a Value),
    /// The items of a list, already flat.
    Items(&'a [Value]),
}

pub(super) struct CellError {
    pub row: usize,
    pub missing: bool,
    pub message: String,
}

/// Builds one column from its cells.
pub(super) fn build<'a>(
    field: &Field,
    form: Form,
    rows: usize,
    cells: impl Iterator<Item = Cell<'a>>,
) -> Result<ArrayRef, CellError> {
    let column = ColumnOf { field, form, rows };
    match field.dtype {
        DType::Boolean => {
            let (values, nulls) = column.collect(cells, value::boolean)?;
            Ok(Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)))
        }
        DType::Int8 => column.primitive::<Int8Type>(cells, value::integer),
        DType::Int16 => column.primitive::<Int16Type>(cells, value::integer),
        DType::Int32 => column.primitive::<Int32Type>(cells, value::integer),
        DType::Int64 => column.primitive::<Int64Type>(cells, value::integer),
        DType::Uint8 => column.primitive::<UInt8Type>(cells, value::integer),
        DType::Uint16 | DType::Bfloat16 => column.primitive::<UInt16Type>(cells, value::integer),
        DType::Uint32 => column.primitive::<UInt32Type>(cells, value::integer),
        DType::Uint64 => column.primitive::<UInt64Type>(cells, value::integer),
        DType::Float16 => column.primitive::<Float16Type>(cells, value::float::<Float16Type>),
        DType::Float32 => column.primitive::<Float32Type>(cells, value::float::<Float32Type>),
        DType::Float64 => column.primitive::<Float64Type>(cells, value::float::<Float64Type>),
        DType::Date32 => column.primitive::<Date32Type>(cells, |v| value::date(v, form)),
        DType::TimestampUs => column.primitive::<TimestampMicrosecondType>(cells, |v| value::timestamp(v, form)),
        DType::Utf8 => {
            let (values, nulls) = column.collect(cells, value::text)?;
            let (offsets, bytes) = column.concatenated(&values)?;
            let array = StringArray::try_new(offsets, bytes, nulls).map_err(|e| column.refused(0, e.to_string()))?;
            Ok(Arc::new(array))
        }
        DType::Binary => {
            let (values, nulls) = column.collect(cells, |v| value::binary(v, form))?;
            let (offsets, bytes) = column.concatenated(&values)?;
            let array = BinaryArray::try_new(offsets, bytes, nulls).map_err(|e| column.refused(0, e.to_string()))?;
            Ok(Arc::new(array))
        }
    }
}

struct ColumnOf<'f> {
    field: &'f Field,
    form: Form,
    rows: usize,
}

impl ColumnOf<'_> {
    fn primitive<'a, P: ArrowPrimitiveType>(
        &self,
        cells: impl Iterator<Item = Cell<'a>>,
        parse: impl Fn(&'a Value) -> Option<P::Native>,
    ) -> Result<ArrayRef, CellError> {
        let (values, nulls) = self.collect(cells, parse)?;
        let array = |nulls| PrimitiveArray::<P>::new(values.into(), nulls);
        let whole = arrow_field(self.field);
        match whole.data_type() {
            DataType::FixedSizeList(item, width) => {
                let items = array(None).with_data_type(item.data_type().clone());
                let list = FixedSizeListArray::try_new(item.clone(), *width, Arc::new(items), nulls);
                Ok(Arc::new(list.map_err(|e| self.refused(0, e.to_string()))?))
            }
            data_type => Ok(Arc::new(array(nulls).with_data_type(data_type.clone()))),
        }
    }

    /// The values of all rows, `width` a row, with a default in the place of each null.
    fn collect<'a, T: Default + Clone>(
        &self,
        cells: impl Iterator<Item = Cell<'a>>,
        parse: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<(Vec<T>, Option<NullBuffer>), CellError> {
        let width = self.field.width as usize;
        let mut values = Vec::with_capacity(self.rows * width);
        let mut nulls = NullBufferBuilder::new(self.rows);
        for (row, cell) in cells.enumerate() {
            match cell {
                Cell::Missing | Cell::Null | Cell::Value(Value::Null) => {
                    self.check_nullable(row, &cell)?;
                    values.resize(values.len() + width, T::default());
                    nulls.append_null();
                    continue;
                }
                Cell::Value(Value::Array(items)) if width > 1 => self.push_items(row, items, &parse, &mut values)?,
                Cell::Items(items) => self.push_items(row, items, &parse, &mut values)?,
                Cell::Value(value) if width > 1 => return Err(self.refused(row, self.expected_items(value))),
                Cell::Value(value) => values.push(parse(value).ok_or_else(|| self.unfit(row, None, value))?),
            }
            nulls.append_non_null();
        }
        Ok((values, nulls.finish()))
    }

    fn push_items<'a, T>(
        &self,
        row: usize,
        items: &'a [Value],
        parse: &impl Fn(&'a Value) -> Option<T>,
        values: &mut Vec<T>,
    ) -> Result<(), CellError> {
        if items.len() != self.field.width as usize {
            let message = format!("expected {} items, got {}", self.field.width, items.len());
            return Err(self.refused(row, message));
        }
        for (index, item) in items.iter().enumerate() {
            values.push(parse(item).ok_or_else(|| self.unfit(row, Some(index), item))?);
        }
        Ok(())
    }

    fn concatenated<T: AsRef<[u8]>>(&self, values: &[T]) -> Result<(OffsetBuffer<i32>, Buffer), CellError> {
        let total: usize = values.iter().map(|v| v.as_ref().len()).sum();
        if i32::try_from(total).is_err() {
            return Err(self.refused(0, format!("the column has {total} bytes; at most {} fit", i32::MAX)));
        }
        let offsets = OffsetBuffer::from_lengths(values.iter().map(|v| v.as_ref().len()));
        let mut bytes = Vec::with_capacity(total);
        values.iter().for_each(|v| bytes.extend_from_slice(v.as_ref()));
        Ok((offsets, Buffer::from_vec(bytes)))
    }

    fn check_nullable(&self, row: usize, cell: &Cell<'_>) -> Result<(), CellError> {
        if self.field.nullable {
            return Ok(());
        }
        let missing = matches!(cell, Cell::Missing);
        let message = format!(
            "{}: expected {}",
            if missing { "the column is missing and has no null" } else { "null is not allowed" },
            value::expected(self.field.dtype, self.form)
        );
        Err(CellError { row, missing, message })
    }

    fn unfit(&self, row: usize, item: Option<usize>, got: &Value) -> CellError {
        let expected = value::expected(self.field.dtype, self.form);
        let place = item.map(|i| format!("item {i}: ")).unwrap_or_default();
        self.refused(row, format!("{place}expected {expected}, got {}", value::shown(got)))
    }

    fn expected_items(&self, got: &Value) -> String {
        let item = value::expected(self.field.dtype, self.form);
        format!("expected an array of {} items, each {item}; got {}", self.field.width, value::shown(got))
    }

    fn refused(&self, row: usize, message: String) -> CellError {
        CellError { row, missing: false, message }
    }
}
