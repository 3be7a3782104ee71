//! Multiplies every float64 column.

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::{Batch, Column, DType, Field, NumberBuilder, PluginError, Result, Schema, Transform};

/// What users write under `config`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// Every number is multiplied by this.
    factor: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { factor: 2.0 }
    }
}

struct Plugin {
    factor: f64,
    output: Schema,
}

impl Transform for Plugin {
    type Config = Config;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if let Some(other) = input.fields.iter().find(|field| field.dtype != DType::Float64 || field.width != 1) {
            return Err(PluginError::invalid_schema("NAME reads float64 columns").column(&other.name));
        }
        Ok(Self { factor: config.factor, output: input.clone() })
    }

    fn output(&self) -> Option<Schema> {
        Some(self.output.clone())
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let multiplied = input.columns().map(|column| {
            let mut values = NumberBuilder::with_capacity(column.rows());
            column.numbers()?.for_each(|x| values.push(x.map(|x| x * self.factor)));
            Ok(values.finish())
        });
        multiplied.collect()
    }
}

tiegel_plugin::export!(Plugin);
