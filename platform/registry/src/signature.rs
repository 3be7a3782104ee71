use serde_json::{Value, json};
use tiegel_types::{DType, Field};

use crate::Bundle;

/// What a bundle takes and gives, as MLflow writes signatures.
pub(crate) fn of_bundle(bundle: &Bundle) -> Value {
    let inputs: Vec<_> = bundle.input.fields.iter().map(column).collect();
    // A probability or a number.
    let output = json!({ "type": "double", "name": bundle.model.target, "required": true });
    json!({ "inputs": inputs, "outputs": [output], "params": null })
}

fn column(field: &Field) -> Value {
    let kind = kind(field.dtype);
    let mut column =
        if field.width > 1 { json!({ "type": "array", "items": { "type": kind } }) } else { json!({ "type": kind }) };
    column["name"] = json!(field.name);
    column["required"] = json!(!field.nullable);
    column
}

fn kind(dtype: DType) -> &'static str {
    match dtype {
        DType::Boolean => "boolean",
        DType::Int8 | DType::Int16 | DType::Int32 | DType::Uint8 | DType::Uint16 => "integer",
        DType::Int64 | DType::Uint32 | DType::Uint64 => "long",
        DType::Float16 | DType::Bfloat16 | DType::Float32 => "float",
        DType::Float64 => "double",
        DType::Date32 | DType::TimestampUs => "datetime",
        DType::Utf8 => "string",
        DType::Binary => "binary",
    }
}
