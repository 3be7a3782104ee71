use std::rc::Rc;

use crate::bitmap::Bitmap;
use crate::native::{self, Native};
use crate::{ColumnRef, DType, Field, PluginError, Result, Schema};

/// Rows of a table: one column for each field of the schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    schema: Rc<Schema>,
    rows: usize,
    columns: Vec<Column>,
}

impl Batch {
    /// Columns in the order of the schema's fields. The host checks their buffers against the schema.
    pub fn new(schema: Rc<Schema>, rows: usize, columns: Vec<Column>) -> Self {
        Self { schema, rows, columns }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn schema(&self) -> &Rc<Schema> {
        &self.schema
    }

    /// Column `index`, with its name and type.
    ///
    /// # Panics
    /// When there is no such column.
    pub fn column(&self, index: usize) -> ColumnRef<'_> {
        ColumnRef::new(&self.schema.fields[index], &self.columns[index], self.rows)
    }

    pub fn columns(&self) -> impl ExactSizeIterator<Item = ColumnRef<'_>> {
        (0..self.columns.len()).map(|index| self.column(index))
    }

    /// The buffers, to be changed in place.
    pub fn into_columns(self) -> Vec<Column> {
        self.columns
    }
}

/// Arrow's buffers of one column, little-endian, bitmaps starting at bit 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Column {
    /// The values, one after the other; for booleans bits; for utf8 and binary the bytes that `offsets` cut.
    pub data: Vec<u8>,
    /// Bit i is set where row i is not null; none where nothing is null.
    pub validity: Option<Vec<u8>>,
    /// For utf8 and binary: rows + 1 offsets (i32) into `data`.
    pub offsets: Option<Vec<u8>>,
}

impl Column {
    /// Numbers without nulls; `width` of them a row.
    pub fn from_values<T: Native>(values: &[T]) -> Self {
        Self { data: native::to_bytes(values), ..Self::default() }
    }

    /// Numbers with nulls.
    pub fn from_options<T: Native>(values: impl IntoIterator<Item = Option<T>>) -> Self {
        let mut plain = Vec::new();
        let validity: Bitmap = values
            .into_iter()
            .map(|value| {
                plain.push(value.unwrap_or_default());
                value.is_some()
            })
            .collect();
        Self { data: native::to_bytes(&plain), validity: Some(validity.into_bytes()), offsets: None }
    }

    /// A column of `len` numbers that `fill` writes; they start as zero.
    pub fn filled<T: Native>(len: usize, fill: impl FnOnce(&mut [T])) -> Self {
        let mut data = vec![0; len * size_of::<T>()];
        native::edit_values(&mut data, fill);
        Self { data, ..Self::default() }
    }

    pub fn from_booleans(values: impl IntoIterator<Item = Option<bool>>) -> Self {
        let (mut data, mut validity) = (Bitmap::default(), Bitmap::default());
        for value in values {
            data.push(value.unwrap_or_default());
            validity.push(value.is_some());
        }
        Self { data: data.into_bytes(), validity: Some(validity.into_bytes()), offsets: None }
    }

    /// A utf8 column.
    ///
    /// # Panics
    /// When the texts together exceed 2 GiB, which the host's limits never let through.
    pub fn from_texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let (mut data, mut offsets, mut validity) = (Vec::new(), vec![0i32], Bitmap::default());
        for value in values {
            data.extend_from_slice(value.unwrap_or_default().as_bytes());
            offsets.push(i32::try_from(data.len()).expect("a batch's texts are under 2 GiB"));
            validity.push(value.is_some());
        }
        Self { data, validity: Some(validity.into_bytes()), offsets: Some(native::to_bytes(&offsets)) }
    }

    /// Lets `edit` change the numbers in place.
    pub fn edit<T: Native>(&mut self, edit: impl FnOnce(&mut [T])) {
        native::edit_values(&mut self.data, edit);
    }
}

/// Puts a batch together by hand, for tests that run without Wasm.
///
/// ```
/// use tiegel_plugin::{Batch, DType};
///
/// let batch = Batch::builder().float64("price", [Some(1.0), None]).utf8("shop", [Some("a"), Some("b")]).build().unwrap();
/// assert_eq!(batch.rows(), 2);
/// assert_eq!(batch.schema().fields[0].dtype, DType::Float64);
/// ```
#[derive(Default)]
pub struct BatchBuilder {
    columns: Vec<(Field, Column, usize)>,
}

impl Batch {
    pub fn builder() -> BatchBuilder {
        BatchBuilder::default()
    }
}

macro_rules! number_columns {
    ($($name:ident: $number:ty => $dtype:ident),+ $(,)?) => {$(
        pub fn $name(self, name: &str, values: impl IntoIterator<Item = Option<$number>>) -> Self {
            let values: Vec<_> = values.into_iter().collect();
            let rows = values.len();
            self.column(Field::new(name, DType::$dtype).nullable(true), Column::from_options(values), rows)
        }
    )+};
}

impl BatchBuilder {
    number_columns! {
        int32: i32 => Int32,
        int64: i64 => Int64,
        uint8: u8 => Uint8,
        float32: f32 => Float32,
        float64: f64 => Float64,
        date32: i32 => Date32,
        timestamp_us: i64 => TimestampUs,
    }

    pub fn boolean(self, name: &str, values: impl IntoIterator<Item = Option<bool>>) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        let rows = values.len();
        self.column(Field::new(name, DType::Boolean).nullable(true), Column::from_booleans(values), rows)
    }

    pub fn utf8<'a>(self, name: &str, values: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        let values: Vec<_> = values.into_iter().collect();
        let rows = values.len();
        self.column(Field::new(name, DType::Utf8).nullable(true), Column::from_texts(values), rows)
    }

    /// Any column, of `rows` rows.
    pub fn column(mut self, field: Field, column: Column, rows: usize) -> Self {
        self.columns.push((field, column, rows));
        self
    }

    /// # Errors
    /// When the columns differ in length.
    pub fn build(self) -> Result<Batch> {
        let rows = self.columns.first().map_or(0, |(_, _, rows)| *rows);
        if let Some((field, _, other)) = self.columns.iter().find(|(_, _, other)| *other != rows) {
            let message = format!("the column has {other} rows where the first one has {rows}");
            return Err(PluginError::invalid_input(message).column(&field.name));
        }
        let (fields, columns) = self.columns.into_iter().map(|(field, column, _)| (field, column)).unzip();
        Ok(Batch::new(Rc::new(Schema::new(fields)), rows, columns))
    }
}
