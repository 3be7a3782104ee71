use crate::bitmap::Bitmap;
use crate::native::{self, Native};
use crate::{Column, PluginError, Result};

/// Numbers, row by row.
#[derive(Clone, Debug, Default)]
pub struct NumberBuilder<T> {
    values: Vec<T>,
    validity: Bitmap,
}

impl<T: Native> NumberBuilder<T> {
    pub fn with_capacity(rows: usize) -> Self {
        Self { values: Vec::with_capacity(rows), validity: Bitmap::with_capacity(rows) }
    }

    pub fn push(&mut self, value: Option<T>) {
        self.values.push(value.unwrap_or_default());
        self.validity.push(value.is_some());
    }

    pub fn finish(self) -> Column {
        Column { validity: self.validity.into_validity(), ..Column::from_values(&self.values) }
    }
}

/// Booleans, row by row.
#[derive(Clone, Debug, Default)]
pub struct BooleanBuilder {
    values: Bitmap,
    validity: Bitmap,
}

impl BooleanBuilder {
    pub fn with_capacity(rows: usize) -> Self {
        Self { values: Bitmap::with_capacity(rows), validity: Bitmap::with_capacity(rows) }
    }

    pub fn push(&mut self, value: Option<bool>) {
        self.values.push(value.unwrap_or_default());
        self.validity.push(value.is_some());
    }

    pub fn finish(self) -> Column {
        Column { data: self.values.into_bytes(), validity: self.validity.into_validity(), offsets: None }
    }
}

/// Texts or bytes, row by row.
#[derive(Clone, Debug)]
pub struct TextBuilder {
    data: Vec<u8>,
    offsets: Vec<i32>,
    validity: Bitmap,
}

impl TextBuilder {
    pub fn with_capacity(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { data: Vec::with_capacity(bytes), offsets, validity: Bitmap::with_capacity(rows) }
    }

    /// # Errors
    /// When the column would exceed 2 GiB.
    pub fn push(&mut self, value: Option<&str>) -> Result<()> {
        self.push_bytes(value.map(str::as_bytes))
    }

    /// For a binary column.
    ///
    /// # Errors
    /// When the column would exceed 2 GiB.
    pub fn push_bytes(&mut self, value: Option<&[u8]>) -> Result<()> {
        let row = self.offsets.len() - 1;
        self.data.extend_from_slice(value.unwrap_or_default());
        let end = i32::try_from(self.data.len())
            .map_err(|_| PluginError::invalid_input("the column's texts exceed 2 GiB: send fewer rows").row(row))?;
        self.offsets.push(end);
        self.validity.push(value.is_some());
        Ok(())
    }

    pub fn finish(self) -> Column {
        let Self { data, offsets, validity } = self;
        Column { data, validity: validity.into_validity(), offsets: Some(native::to_bytes(&offsets)) }
    }
}

/// Lists of `width` numbers, row by row.
#[derive(Clone, Debug)]
pub struct ListBuilder<T> {
    width: usize,
    values: Vec<T>,
    validity: Bitmap,
}

impl<T: Native> ListBuilder<T> {
    pub fn with_capacity(width: usize, rows: usize) -> Self {
        Self { width, values: Vec::with_capacity(width * rows), validity: Bitmap::with_capacity(rows) }
    }

    /// Lets `fill` write a row, which starts as zeros.
    pub fn push_with<R>(&mut self, fill: impl FnOnce(&mut [T]) -> R) -> R {
        let from = self.values.len();
        self.values.resize(from + self.width, T::default());
        self.validity.push(true);
        fill(&mut self.values[from..])
    }

    /// # Errors
    /// When the row does not hold `width` values.
    pub fn push(&mut self, row: &[T]) -> Result<()> {
        if row.len() != self.width {
            let message = format!("a row of {} values in a column of width {}", row.len(), self.width);
            return Err(PluginError::internal(message).row(self.validity.len()));
        }
        self.values.extend_from_slice(row);
        self.validity.push(true);
        Ok(())
    }

    pub fn push_null(&mut self) {
        self.values.resize(self.values.len() + self.width, T::default());
        self.validity.push(false);
    }

    pub fn finish(self) -> Column {
        Column { validity: self.validity.into_validity(), ..Column::from_values(&self.values) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, DType, Field};

    #[test]
    fn what_was_pushed_is_read() {
        let mut numbers = NumberBuilder::with_capacity(2);
        let mut booleans = BooleanBuilder::with_capacity(2);
        let mut texts = TextBuilder::with_capacity(2, 8);
        let mut lists = ListBuilder::with_capacity(3, 2);
        for value in [Some(7i64), None] {
            numbers.push(value);
            booleans.push(value.map(|v| v > 0));
            texts.push(value.map(|_| "sept")).unwrap();
        }
        lists.push_null();
        lists.push_with(|row: &mut [f32]| row[2] = 1.0);
        let field = |dtype| Field::new("x", dtype).nullable(true);
        let batch = Batch::builder()
            .column(field(DType::Int64), numbers.finish(), 2)
            .column(field(DType::Boolean), booleans.finish(), 2)
            .column(field(DType::Utf8), texts.finish(), 2)
            .column(field(DType::Float32).width(3), lists.finish(), 2)
            .build()
            .unwrap();
        assert_eq!(batch.column(0).options::<i64>().unwrap().collect::<Vec<_>>(), [Some(7), None]);
        assert_eq!(batch.column(1).booleans().unwrap().collect::<Vec<_>>(), [Some(true), None]);
        assert_eq!(batch.column(2).texts().unwrap().collect::<Vec<_>>(), [Some("sept"), None]);
        let lists = batch.column(3).lists::<f32>().unwrap();
        assert_eq!(lists.iter().collect::<Vec<_>>(), [None, Some([0.0, 0.0, 1.0].as_slice())]);
    }

    #[test]
    fn a_column_without_nulls_has_no_validity() {
        let mut numbers = NumberBuilder::default();
        (0..9).for_each(|i| numbers.push(Some(i)));
        assert_eq!(numbers.finish(), Column::from_values(&[0, 1, 2, 3, 4, 5, 6, 7, 8]));
    }

    #[test]
    fn a_list_of_another_length_is_refused_with_its_row() {
        let mut lists = ListBuilder::with_capacity(2, 1);
        lists.push(&[1u8, 2]).unwrap();
        let error = lists.push(&[1]).unwrap_err();
        assert_eq!(error.to_string(), "a row of 1 values in a column of width 2 (row 1)");
    }
}
