use std::borrow::Cow;

use crate::bitmap::{bit, count_ones};
use crate::native::{self, Native};
use crate::{Column, DType, Field, PluginError, Result};

/// A column of a batch, with its name and type. Reading it copies nothing.
#[derive(Clone, Copy, Debug)]
pub struct ColumnRef<'a> {
    field: &'a Field,
    column: &'a Column,
    rows: usize,
}

impl<'a> ColumnRef<'a> {
    pub fn new(field: &'a Field, column: &'a Column, rows: usize) -> Self {
        Self { field, column, rows }
    }

    pub fn field(&self) -> &'a Field {
        self.field
    }

    pub fn name(&self) -> &'a str {
        &self.field.name
    }

    pub fn dtype(&self) -> DType {
        self.field.dtype
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn validity(&self) -> Option<&'a [u8]> {
        self.column.validity.as_deref()
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.validity().is_some_and(|bits| !bit(bits, row))
    }

    pub fn null_count(&self) -> usize {
        self.validity().map_or(0, |bits| self.rows - count_ones(bits, self.rows))
    }

    /// All values, `width` a row, nulls as whatever stands in their place.
    ///
    /// # Errors
    /// When the column holds another type than `T`.
    pub fn values<T: Native>(&self) -> Result<Cow<'a, [T]>> {
        if T::DTYPES.contains(&self.dtype()) {
            Ok(native::values(&self.column.data))
        } else {
            Err(self.wrong_type(&format!("{} values", std::any::type_name::<T>())))
        }
    }

    /// Row by row; none where null.
    ///
    /// # Errors
    /// When the column holds another type than `T`, or several values a row.
    pub fn options<T: Native>(&self) -> Result<impl ExactSizeIterator<Item = Option<T>> + use<'a, T>> {
        self.one_value_a_row()?;
        let (values, validity) = (self.values::<T>()?, self.validity());
        Ok((0..self.rows).map(move |row| validity.is_none_or(|bits| bit(bits, row)).then(|| values[row])))
    }

    /// Row by row, the `width` values of each; none where null.
    ///
    /// # Errors
    /// When the column holds another type than `T`, or not `width` values for each row.
    pub fn lists<T: Native>(&self) -> Result<Lists<'a, T>> {
        let (values, width) = (self.values::<T>()?, self.field.width as usize);
        if values.len() != self.rows * width {
            let message = format!("the column has {} values for {} rows of {width}", values.len(), self.rows);
            return Err(PluginError::invalid_input(message).column(self.name()));
        }
        Ok(Lists { values, validity: self.validity(), width, rows: self.rows })
    }

    /// Any integer or float column as float64, row by row; none where null. Integers over 2^53 are rounded.
    ///
    /// # Errors
    /// When the column holds no numbers, or several a row.
    pub fn numbers(&self) -> Result<Numbers<'a>> {
        self.one_value_a_row()?;
        macro_rules! widen {
            ($number:ty) => {
                Box::new(self.options::<$number>()?.map(|v| v.map(|v| v as f64)))
            };
        }
        Ok(match self.dtype() {
            DType::Int8 => widen!(i8),
            DType::Int16 => widen!(i16),
            DType::Int32 => widen!(i32),
            DType::Int64 => widen!(i64),
            DType::Uint8 => widen!(u8),
            DType::Uint16 => widen!(u16),
            DType::Uint32 => widen!(u32),
            DType::Uint64 => widen!(u64),
            DType::Float32 => widen!(f32),
            DType::Float64 => widen!(f64),
            _ => return Err(self.wrong_type("numbers")),
        })
    }

    /// # Errors
    /// When the column is not boolean.
    pub fn booleans(&self) -> Result<impl ExactSizeIterator<Item = Option<bool>> + use<'a>> {
        if self.dtype() != DType::Boolean {
            return Err(self.wrong_type("booleans"));
        }
        self.one_value_a_row()?;
        let (data, validity) = (&self.column.data, self.validity());
        Ok((0..self.rows).map(move |row| validity.is_none_or(|bits| bit(bits, row)).then(|| bit(data, row))))
    }

    /// Row by row; none where null.
    ///
    /// # Errors
    /// When the column is not utf8, or its bytes are not what the contract promises.
    pub fn texts(&self) -> Result<impl ExactSizeIterator<Item = Option<&'a str>> + use<'a>> {
        if self.dtype() != DType::Utf8 {
            return Err(self.wrong_type("texts"));
        }
        // The host promises UTF-8; checking the whole buffer once keeps that promise checked and the rows cheap.
        let text = std::str::from_utf8(&self.column.data)
            .map_err(|_| PluginError::invalid_input("the bytes are not UTF-8").column(self.name()))?;
        let (offsets, validity) = (self.offsets()?, self.validity());
        Ok((0..self.rows).map(move |row| {
            let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
            validity.is_none_or(|bits| bit(bits, row)).then(|| &text[from..to])
        }))
    }

    /// Row by row; none where null.
    ///
    /// # Errors
    /// When the column is neither binary nor utf8.
    pub fn binaries(&self) -> Result<impl ExactSizeIterator<Item = Option<&'a [u8]>> + use<'a>> {
        if !matches!(self.dtype(), DType::Binary | DType::Utf8) {
            return Err(self.wrong_type("bytes"));
        }
        let (data, offsets, validity) = (&self.column.data, self.offsets()?, self.validity());
        Ok((0..self.rows).map(move |row| {
            let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
            validity.is_none_or(|bits| bit(bits, row)).then(|| &data[from..to])
        }))
    }

    fn offsets(&self) -> Result<Cow<'a, [i32]>> {
        let offsets = native::values(self.column.offsets.as_deref().unwrap_or_default());
        if offsets.len() == self.rows + 1 {
            return Ok(offsets);
        }
        let message = format!("the column has {} offsets for {} rows", offsets.len(), self.rows);
        Err(PluginError::invalid_input(message).column(self.name()))
    }

    fn one_value_a_row(&self) -> Result<()> {
        if self.field.width == 1 {
            return Ok(());
        }
        let message = format!("the column holds {} values a row; one is needed", self.field.width);
        Err(PluginError::invalid_schema(message).column(self.name()))
    }

    fn wrong_type(&self, wanted: &str) -> PluginError {
        let message = format!("the column is {}; {wanted} are needed", self.dtype().as_str());
        PluginError::invalid_schema(message).column(self.name())
    }
}

/// The rows of a fixed-size list column.
#[derive(Clone, Debug)]
pub struct Lists<'a, T: Native> {
    values: Cow<'a, [T]>,
    validity: Option<&'a [u8]>,
    width: usize,
    rows: usize,
}

impl<T: Native> Lists<'_, T> {
    /// The values of one row; none where it is null.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn get(&self, row: usize) -> Option<&[T]> {
        let values = &self.values[row * self.width..(row + 1) * self.width];
        self.validity.is_none_or(|bits| bit(bits, row)).then_some(values)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&[T]>> {
        (0..self.rows).map(|row| self.get(row))
    }
}

/// Rows as float64; none where null.
pub type Numbers<'a> = Box<dyn ExactSizeIterator<Item = Option<f64>> + 'a>;

#[cfg(test)]
mod tests {
    use crate::{Batch, Column, DType, Field};

    #[test]
    fn columns_come_back_as_they_were_built() {
        let batch = Batch::builder()
            .float32("x", [Some(1.0), None, Some(3.0)])
            .utf8("s", [Some("æ"), Some(""), None])
            .boolean("b", [None, Some(true), Some(false)])
            .build()
            .unwrap();
        assert_eq!(batch.column(0).options::<f32>().unwrap().collect::<Vec<_>>(), [Some(1.0), None, Some(3.0)]);
        assert_eq!(batch.column(0).numbers().unwrap().collect::<Vec<_>>(), [Some(1.0), None, Some(3.0)]);
        assert_eq!(batch.column(1).texts().unwrap().collect::<Vec<_>>(), [Some("æ"), Some(""), None]);
        assert_eq!(batch.column(2).booleans().unwrap().collect::<Vec<_>>(), [None, Some(true), Some(false)]);
        assert_eq!(batch.column(0).null_count(), 1);
    }

    #[test]
    fn a_column_of_another_type_is_refused_by_name() {
        let batch = Batch::builder().float32("x", [Some(1.0)]).build().unwrap();
        let error = batch.column(0).values::<f64>().unwrap_err();
        assert_eq!(error.to_string(), "the column is float32; f64 values are needed (column 'x')");
        assert!(batch.column(0).texts().is_err());
    }

    #[test]
    fn a_block_column_gives_all_values_but_no_rows() {
        let field = Field::new("e", DType::Float32).width(2);
        let batch = Batch::builder().column(field, Column::from_values(&[1f32, 2.0, 3.0, 4.0]), 2).build().unwrap();
        assert_eq!(&*batch.column(0).values::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.0]);
        assert!(batch.column(0).options::<f32>().is_err());
        let lists = batch.column(0).lists::<f32>().unwrap();
        assert_eq!(lists.iter().collect::<Vec<_>>(), [Some([1.0, 2.0].as_slice()), Some([3.0, 4.0].as_slice())]);
    }
}
