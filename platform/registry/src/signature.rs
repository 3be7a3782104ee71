use serde::Deserialize;
use serde_json::{Value, json};
use tiegel_types::{DType, Field, Schema};

use crate::Bundle;

/// What a bundle takes and gives, as MLflow writes signatures.
pub(crate) fn of_bundle(bundle: &Bundle) -> Value {
    let inputs = columns(&bundle.input);
    // A probability or a number.
    let output = json!({ "type": "double", "name": bundle.model.target, "required": true });
    json!({ "inputs": inputs, "outputs": [output], "params": null })
}

/// A schema as MLflow writes the columns of a table.
pub fn columns(schema: &Schema) -> Vec<Value> {
    schema.fields.iter().map(column).collect()
}

/// The signature in a client's `MLmodel` file, which keeps its parts as JSON in text; none where there is none to read.
pub fn signature_of(description: &str) -> Option<Value> {
    #[derive(Deserialize)]
    struct Description {
        signature: Option<Signature>,
    }
    #[derive(Deserialize)]
    struct Signature {
        inputs: Option<String>,
        outputs: Option<String>,
        params: Option<String>,
    }
    let part = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let Signature { inputs, outputs, params } = serde_saphyr::from_str::<Description>(description).ok()?.signature?;
    Some(json!({ "inputs": part(inputs), "outputs": part(outputs), "params": part(params) }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_read_from_what_clients_write() {
        let description = "artifact_path: model\nflavors:\n  python_function:\n    env: {conda: conda.yaml}\n\
                           signature:\n  inputs: '[{\"type\": \"double\", \"name\": \"x\", \"required\": true}]'\n  \
                           outputs: '[{\"type\": \"tensor\", \"tensor-spec\": {\"dtype\": \"int64\", \"shape\": [-1]}}]'\n  \
                           params: null\nutc_time_created: '2026-01-01 00:00:00.000000'\n";
        let expected = json!({
            "inputs": [{ "type": "double", "name": "x", "required": true }],
            "outputs": [{ "type": "tensor", "tensor-spec": { "dtype": "int64", "shape": [-1] } }],
            "params": null,
        });
        assert_eq!(signature_of(description), Some(expected));
        assert_eq!(signature_of("flavors: {}\n"), None);
        assert_eq!(signature_of("a: [\n"), None);
    }
}
