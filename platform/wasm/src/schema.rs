use std::collections::HashSet;

use tiegel_engine::PluginFailure;
use tiegel_types::limits::COLUMNS_MAX;
use tiegel_types::{DType, Field, Schema};

use crate::bindings::types;
use crate::fault::bad_output;
use crate::text;

/// Bytes of a column's name.
const COLUMN_NAME_BYTES_MAX: usize = 256;

/// Values that one row of a column may hold.
const WIDTH_MAX: u32 = 1 << 20;

/// A host's field in the guest's terms, borrowed for one call.
pub fn lower_field(field: &Field) -> types::FieldParam<'_> {
    types::FieldParam {
        name: &field.name,
        dtype: lower_dtype(field.dtype),
        nullable: field.nullable,
        width: field.width,
    }
}

/// The output columns that a plugin declared, once they are found to make a table.
pub fn lift_schema(plugin: &str, schema: types::SchemaResult) -> Result<Schema, PluginFailure> {
    if schema.fields.len() > COLUMNS_MAX {
        let message = format!("declared {} output columns; at most {COLUMNS_MAX} are allowed", schema.fields.len());
        return Err(bad_output(plugin, message));
    }
    if schema.fields.is_empty() {
        return Err(bad_output(plugin, "declared no output column"));
    }
    let fields = schema.fields.into_iter().map(|field| lift_field(plugin, field)).collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::new();
    if let Some(twice) = fields.iter().find(|field| !seen.insert(&field.name)) {
        return Err(bad_output(plugin, format!("declared the output column '{}' twice", twice.name)));
    }
    Ok(Schema::new(fields))
}

fn lift_field(plugin: &str, field: types::FieldResult) -> Result<Field, PluginFailure> {
    let types::FieldResult { name, dtype, nullable, width } = field;
    let shown = text::clean(&name, COLUMN_NAME_BYTES_MAX);
    if name.is_empty() || name != shown {
        let rule = format!("1 to {COLUMN_NAME_BYTES_MAX} bytes without control characters");
        return Err(bad_output(plugin, format!("declared an output column named '{shown}'; names are {rule}")));
    }
    let dtype = lift_dtype(dtype);
    let wrong = if dtype == DType::Bfloat16 {
        Some("as bfloat16, which no table can hold".to_owned())
    } else if width == 0 || width > WIDTH_MAX {
        Some(format!("with width {width}; the width is 1 to {WIDTH_MAX}"))
    } else if width > 1 && dtype.fixed_bytes().is_none() {
        Some(format!("as {dtype} of width {width}; only numbers, dates and timestamps can be wider than 1"))
    } else {
        None
    };
    match wrong {
        Some(wrong) => Err(bad_output(plugin, format!("declared the output column '{name}' {wrong}"))),
        None => Ok(Field { name, dtype, nullable, width }),
    }
}

macro_rules! dtypes {
    ($($variant:ident),+ $(,)?) => {
        fn lower_dtype(dtype: DType) -> types::Dtype {
            match dtype { $(DType::$variant => types::Dtype::$variant),+ }
        }

        fn lift_dtype(dtype: types::Dtype) -> DType {
            match dtype { $(types::Dtype::$variant => DType::$variant),+ }
        }
    };
}

dtypes! {
    Boolean, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64,
    Float16, Bfloat16, Float32, Float64, Date32, TimestampUs, Utf8, Binary,
}
