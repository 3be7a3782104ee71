//! Divides every float64 column by its largest absolute value in the training rows.

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{
    Batch, Column, ColumnRef, DType, Estimator, Field, NumberBuilder, PerColumn, PluginError, Result, Schema, Summary,
    Transform, not_fitted,
};

/// What users write under `config`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// The largest absolute value in the training rows becomes this.
    limit: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { limit: 1.0 }
    }
}

/// What one column of the training rows teaches.
#[derive(Clone, Default)]
struct Largest(f64);

impl Summary for Largest {
    fn learn(&mut self, column: &ColumnRef<'_>) -> Result<()> {
        for (row, x) in column.numbers()?.enumerate() {
            match x {
                Some(x) if !x.is_finite() => return Err(PluginError::invalid_input("a value is not finite").row(row)),
                Some(x) => self.0 = self.0.max(x.abs()),
                None => {}
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.0 = self.0.max(other.0);
        Ok(())
    }

    fn encode(&self, writer: &mut Writer) {
        writer.f64(self.0);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        reader.f64().map(Self)
    }
}

struct Plugin {
    limit: f64,
    output: Schema,
    seen: PerColumn<Largest>,
    largest: Option<Vec<f64>>,
}

impl Transform for Plugin {
    type Config = Config;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if let Some(other) = input.fields.iter().find(|field| field.dtype != DType::Float64 || field.width != 1) {
            return Err(PluginError::invalid_schema("NAME reads float64 columns").column(&other.name));
        }
        let seen = PerColumn::new(input, &Largest::default());
        Ok(Self { limit: config.limit, output: input.clone(), seen, largest: None })
    }

    fn output(&self) -> Option<Schema> {
        Some(self.output.clone())
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let largest = self.largest.as_ref().ok_or_else(|| not_fitted("NAME knows no largest values"))?;
        let scaled = input.columns().zip(largest).map(|(column, largest)| {
            // A column of zeros stays one.
            let by = if *largest == 0.0 { 0.0 } else { self.limit / largest };
            let mut values = NumberBuilder::with_capacity(column.rows());
            column.numbers()?.for_each(|x| values.push(x.map(|x| x * by)));
            Ok(values.finish())
        });
        scaled.collect()
    }
}

impl Estimator for Plugin {
    fn partial_fit(&mut self, input: &Batch, _target: Option<ColumnRef<'_>>) -> Result<()> {
        self.seen.learn(input)
    }

    fn partial(&self) -> Result<Vec<u8>> {
        Ok(self.seen.partial())
    }

    fn merge(&mut self, partial: &[u8]) -> Result<()> {
        self.seen.merge(partial)
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        self.largest = Some(self.seen.conclude(|largest| Ok(largest.0))?);
        self.partial()
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        self.seen = PerColumn::new(&self.output, &Largest::default());
        self.merge(state)?;
        self.finish().map(drop)
    }
}

tiegel_plugin::export_estimator!(Plugin);
