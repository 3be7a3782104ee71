use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The closed set of column types: what a plugin can see is what a table can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DType {
    Boolean,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Float16,
    Bfloat16,
    Float32,
    Float64,
    Date32,
    /// Microseconds since 1970-01-01T00:00:00Z.
    TimestampUs,
    Utf8,
    Binary,
}

impl DType {
    pub const ALL: [DType; 17] = [
        DType::Boolean,
        DType::Int8,
        DType::Int16,
        DType::Int32,
        DType::Int64,
        DType::Uint8,
        DType::Uint16,
        DType::Uint32,
        DType::Uint64,
        DType::Float16,
        DType::Bfloat16,
        DType::Float32,
        DType::Float64,
        DType::Date32,
        DType::TimestampUs,
        DType::Utf8,
        DType::Binary,
    ];

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

    /// Bytes of one value in Arrow's data buffer; none for boolean (bits) and for utf8 and binary (offsets).
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

    pub fn is_float(self) -> bool {
        matches!(self, DType::Float16 | DType::Bfloat16 | DType::Float32 | DType::Float64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|d| d.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|d| d.as_str()).collect();
            format!("'{text}' is not a column type: use one of {}", known.join(", "))
        })
    }
}

/// One column's name and type. A `width` over 1 is a fixed-size list, such as a one-hot block or an embedding.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Field {
    pub name: String,
    pub dtype: DType,
    pub nullable: bool,
    #[serde(default = "one")]
    pub width: u32,
}

fn one() -> u32 {
    1
}

impl Field {
    pub fn new(name: impl Into<String>, dtype: DType) -> Self {
        Self { name: name.into(), dtype, nullable: true, width: 1 }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
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

    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|f| f.name.as_str())
    }
}
