use crate::bindings::meta::tiegel::plugin::types;
use crate::{PluginError, Result};

pub use types::Dtype as DType;

impl DType {
    pub fn as_str(self) -> &'static str {
        match self {
            DType::Boolean => "boolean",
            DType::Int8 => "int8",
            DType::Int16 => "int16",
            DType::Int32 => "int32",
            DType::Int64 => "int64",
            DType::Uint8 => "uint8",
            DType::Uint16 => "uint16",
            DType::Uint32 => "uint32",
            DType::Uint64 => "uint64",
            DType::Float16 => "float16",
            DType::Bfloat16 => "bfloat16",
            DType::Float32 => "float32",
            DType::Float64 => "float64",
            DType::Date32 => "date32",
            DType::TimestampUs => "timestamp_us",
            DType::Utf8 => "utf8",
            DType::Binary => "binary",
        }
    }

    /// Bytes of one value; none for boolean (bits) and for utf8 and binary (offsets).
    pub fn fixed_bytes(self) -> Option<usize> {
        match self {
            DType::Boolean | DType::Utf8 | DType::Binary => None,
            DType::Int8 | DType::Uint8 => Some(1),
            DType::Int16 | DType::Uint16 | DType::Float16 | DType::Bfloat16 => Some(2),
            DType::Int32 | DType::Uint32 | DType::Float32 | DType::Date32 => Some(4),
            DType::Int64 | DType::Uint64 | DType::Float64 | DType::TimestampUs => Some(8),
        }
    }

    pub fn is_integer(self) -> bool {
        use DType::*;
        matches!(self, Int8 | Int16 | Int32 | Int64 | Uint8 | Uint16 | Uint32 | Uint64)
    }

    /// Whether `ColumnRef::numbers` can read it.
    pub fn is_number(self) -> bool {
        self.is_integer() || matches!(self, DType::Float32 | DType::Float64)
    }
}

/// One column's name and type. A `width` over 1 is a fixed-size list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub dtype: DType,
    pub nullable: bool,
    pub width: u32,
}

impl Field {
    /// A column that holds one value a row and no nulls.
    pub fn new(name: impl Into<String>, dtype: DType) -> Self {
        Self { name: name.into(), dtype, nullable: false, width: 1 }
    }

    /// Whether it holds one number a row that `ColumnRef::numbers` can read.
    pub fn is_number(&self) -> bool {
        self.width == 1 && self.dtype.is_number()
    }

    /// Whether it holds one text, whole number or boolean a row: what `category::for_each_key` can read.
    pub fn is_category(&self) -> bool {
        self.width == 1 && (self.dtype.is_integer() || matches!(self.dtype, DType::Utf8 | DType::Boolean))
    }

    pub fn nullable(self, nullable: bool) -> Self {
        Self { nullable, ..self }
    }

    pub fn width(self, width: u32) -> Self {
        Self { width, ..self }
    }
}

impl From<types::Field> for Field {
    fn from(field: types::Field) -> Self {
        let types::Field { name, dtype, nullable, width } = field;
        Self { name, dtype, nullable, width }
    }
}

impl From<Field> for types::Field {
    fn from(field: Field) -> Self {
        let Field { name, dtype, nullable, width } = field;
        Self { name, dtype, nullable, width }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    pub fields: Vec<Field>,
}

impl Schema {
    pub fn new(fields: Vec<Field>) -> Self {
        Self { fields }
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// Refuses the schema where `reads` is false for a column, naming it. `wanted` says what the plugin reads:
    /// "clip reads numbers".
    ///
    /// # Errors
    /// As said.
    pub fn require(&self, wanted: &str, reads: impl Fn(&Field) -> bool) -> Result<()> {
        let Some(field) = self.fields.iter().find(|field| !reads(field)) else {
            return Ok(());
        };
        let width = if field.width == 1 { String::new() } else { format!(" of width {}", field.width) };
        let message = format!("{wanted}, not {}{width}", field.dtype.as_str());
        Err(PluginError::invalid_schema(message).column(&field.name))
    }

    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }
}

impl From<types::Schema> for Schema {
    fn from(schema: types::Schema) -> Self {
        Self { fields: schema.fields.into_iter().map(Field::from).collect() }
    }
}

impl From<Schema> for types::Schema {
    fn from(schema: Schema) -> Self {
        Self { fields: schema.fields.into_iter().map(types::Field::from).collect() }
    }
}
