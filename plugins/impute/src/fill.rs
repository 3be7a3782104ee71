use tiegel_plugin::bitmap::bit;
use tiegel_plugin::{Column, ColumnRef, DType, Field, PluginError, Result};

/// The value for a column's nulls: little-endian bytes, 0 or 1, or a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill(Vec<u8>);

impl Fill {
    /// # Errors
    /// When the bytes are not one value of the type.
    pub fn new(dtype: DType, bytes: Vec<u8>) -> Result<Self> {
        let fits = match dtype {
            DType::Boolean => matches!(bytes.as_slice(), [0 | 1]),
            DType::Utf8 => std::str::from_utf8(&bytes).is_ok(),
            _ => dtype.fixed_bytes() == Some(bytes.len()),
        };
        if fits { Ok(Self(bytes)) } else { Err(PluginError::bad_state("a fill value does not fit its column")) }
    }

    /// # Errors
    /// When a whole number's type cannot hold the rounded value.
    pub fn number(field: &Field, value: f64) -> Result<Self> {
        macro_rules! whole {
            ($number:ty) => {{
                let rounded = value.round();
                if !(<$number>::MIN as f64..=<$number>::MAX as f64).contains(&rounded) {
                    let message = format!("{value} does not fit a column of type {}", field.dtype.as_str());
                    return Err(PluginError::invalid_config(message).column(&field.name));
                }
                (rounded as $number).to_le_bytes().to_vec()
            }};
        }
        Ok(Self(match field.dtype {
            DType::Int8 => whole!(i8),
            DType::Int16 => whole!(i16),
            DType::Int32 | DType::Date32 => whole!(i32),
            DType::Int64 | DType::TimestampUs => whole!(i64),
            DType::Uint8 => whole!(u8),
            DType::Uint16 => whole!(u16),
            DType::Uint32 => whole!(u32),
            DType::Uint64 => whole!(u64),
            DType::Float32 => (value as f32).to_le_bytes().to_vec(),
            DType::Float64 => value.to_le_bytes().to_vec(),
            _ => return Err(PluginError::invalid_schema("a number cannot fill this column").column(&field.name)),
        }))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn apply(&self, field: &Field, mut column: Column, rows: usize) -> Result<Column> {
        let Some(validity) = column.validity.take() else { return Ok(column) };
        let nulls = (0..rows).filter(|row| !bit(&validity, *row));
        match field.dtype {
            DType::Boolean => {
                let value = self.0[0];
                for row in nulls {
                    column.data[row / 8] &= !(1 << (row % 8));
                    column.data[row / 8] |= value << (row % 8);
                }
            }
            DType::Utf8 => {
                let text =
                    std::str::from_utf8(&self.0).map_err(|_| PluginError::bad_state("a fill text is not UTF-8"))?;
                let nullable = Column { validity: Some(validity), ..column };
                let texts = ColumnRef::new(field, &nullable, rows).texts()?;
                column = Column { validity: None, ..Column::from_texts(texts.map(|t| Some(t.unwrap_or(text)))) };
            }
            _ => {
                let size = self.0.len();
                nulls.for_each(|row| column.data[row * size..(row + 1) * size].copy_from_slice(&self.0));
            }
        }
        Ok(column)
    }
}
