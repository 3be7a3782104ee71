use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};
use tiegel_types::Kind;

use crate::document::API_VERSION;
use crate::kinds::{DatasetSpec, EndpointSpec, PipelineSpec, TrainingSpec};

/// JSON Schema 2020-12 of one document, for editors and other tools. `parse` checks more than a schema can say.
pub fn json_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let kinds: Vec<Value> = Kind::ALL.into_iter().map(|kind| document_schema(kind, &mut generator)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Tiegel document",
        "type": "object",
        "required": ["kind", "metadata", "spec"],
        "properties": { "kind": { "enum": Kind::ALL } },
        "oneOf": kinds,
        "$defs": generator.take_definitions(true),
    })
}

fn document_schema(kind: Kind, generator: &mut SchemaGenerator) -> Value {
    let spec = match kind {
        Kind::Dataset => schema_of::<DatasetSpec>(generator),
        Kind::Pipeline => schema_of::<PipelineSpec>(generator),
        Kind::Training => schema_of::<TrainingSpec>(generator),
        Kind::Endpoint => schema_of::<EndpointSpec>(generator),
    };
    let name = schema_of::<tiegel_types::Name>(generator);
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["kind", "metadata", "spec"],
        "properties": {
            "apiVersion": { "const": API_VERSION, "description": "Later documents of a file inherit it from the first." },
            "kind": { "const": kind },
            "metadata": {
                "type": "object",
                "additionalProperties": false,
                "required": ["name"],
                "properties": {
                    "name": name,
                    "project": name,
                    "labels": { "type": "object", "additionalProperties": { "type": "string" } },
                },
            },
            "spec": spec,
        },
    })
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}
