use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, Schema as ArrowSchema, SchemaRef, TimeUnit};
use tiegel_types::{DType, Field, Schema};

/// A column of an Arrow type outside the closed set of `DType`.
#[derive(Debug, thiserror::Error)]
#[error(
    "column '{column}' has type {data_type}, which no table can hold; cast it in SQL, for example to double or varchar"
)]
pub struct UnsupportedColumn {
    pub column: String,
    pub data_type: DataType,
}

/// The Arrow field that stores `field`.
pub fn arrow_field(field: &Field) -> ArrowField {
    let item = item_type(field.dtype);
    let data_type = if field.width > 1 {
        DataType::FixedSizeList(Arc::new(ArrowField::new("item", item, false)), field.width as i32)
    } else {
        item
    };
    ArrowField::new(&field.name, data_type, field.nullable)
}

pub fn arrow_schema(schema: &Schema) -> SchemaRef {
    Arc::new(ArrowSchema::new(schema.fields.iter().map(arrow_field).collect::<Vec<_>>()))
}

/// The schema of a table that is already in the closed set. bfloat16 has no Arrow type and is never stored.
pub fn schema_of(schema: &ArrowSchema) -> Result<Schema, UnsupportedColumn> {
    let field = |f: &Arc<ArrowField>| {
        let unsupported = || UnsupportedColumn { column: f.name().clone(), data_type: f.data_type().clone() };
        let (dtype, width) = dtype_of(f.data_type()).ok_or_else(unsupported)?;
        Ok(Field { name: f.name().clone(), dtype, nullable: f.is_nullable(), width })
    };
    Ok(Schema::new(schema.fields().iter().map(field).collect::<Result<_, _>>()?))
}

/// The column type and width that stands for an Arrow type, where it is in the closed set as it is.
pub fn dtype_of(data_type: &DataType) -> Option<(DType, u32)> {
    let dtype = match data_type {
        DataType::Boolean => DType::Boolean,
        DataType::Int8 => DType::Int8,
        DataType::Int16 => DType::Int16,
        DataType::Int32 => DType::Int32,
        DataType::Int64 => DType::Int64,
        DataType::UInt8 => DType::Uint8,
        DataType::UInt16 => DType::Uint16,
        DataType::UInt32 => DType::Uint32,
        DataType::UInt64 => DType::Uint64,
        DataType::Float16 => DType::Float16,
        DataType::Float32 => DType::Float32,
        DataType::Float64 => DType::Float64,
        DataType::Date32 => DType::Date32,
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => DType::TimestampUs,
        DataType::Utf8 => DType::Utf8,
        DataType::Binary => DType::Binary,
        DataType::FixedSizeList(item, width) if *width > 1 => {
            let (dtype, 1) = dtype_of(item.data_type())? else { return None };
            dtype.fixed_bytes()?;
            return Some((dtype, *width as u32));
        }
        _ => return None,
    };
    Some((dtype, 1))
}

fn item_type(dtype: DType) -> DataType {
    match dtype {
        DType::Boolean => DataType::Boolean,
        DType::Int8 => DataType::Int8,
        DType::Int16 => DataType::Int16,
        DType::Int32 => DataType::Int32,
        DType::Int64 => DataType::Int64,
        DType::Uint8 => DataType::UInt8,
        DType::Uint16 | DType::Bfloat16 => DataType::UInt16,
        DType::Uint32 => DataType::UInt32,
        DType::Uint64 => DataType::UInt64,
        DType::Float16 => DataType::Float16,
        DType::Float32 => DataType::Float32,
        DType::Float64 => DataType::Float64,
        DType::Date32 => DataType::Date32,
        DType::TimestampUs => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        DType::Utf8 => DataType::Utf8,
        DType::Binary => DataType::Binary,
    }
}
