//! `(x - median) / (upper quantile - lower quantile)` for every number column, as float32.
//!
//! By default the quantiles are the quartiles, so that half of the values land within a width of one. Outliers move
//! neither the median nor the quartiles. They are exact up to 100,000 different values in a column; beyond that they come
//! from a sketch that depends on the set of values alone, in the manner of Epicoco et al., "UDDSketch" (2020): any order
//! and any chunks of the training rows give the same state. Where both quantiles are one number, the column is centred
//! but not scaled. Nulls stay null and teach nothing; values that are not finite are refused while fitting.

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{
    Batch, Column, ColumnRef, DType, Estimator, Field, PerColumn, PluginError, Quantiles, Result, Scaling, Schema,
    Summary, Transform, not_fitted,
};

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The lower quantile, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub low: f64,
    /// The upper quantile, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub high: f64,
    /// Subtracts the median first.
    pub center: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { low: 0.25, high: 0.75, center: true }
    }
}

pub struct RobustScale {
    config: Config,
    input: Schema,
    seen: PerColumn<Values>,
    scaling: Option<Vec<Scaling>>,
}

impl Transform for RobustScale {
    type Config = Config;

    const PREFERRED_ROWS: u32 = 16_384;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if !(0.0 <= config.low && config.low < config.high && config.high <= 1.0) {
            return Err(PluginError::invalid_config("low is less than high, and both are 0 to 1"));
        }
        input.require("robust-scale reads single integers and floats", Field::is_number)?;
        Ok(Self { config, input: input.clone(), seen: PerColumn::new(input, &Values::default()), scaling: None })
    }

    fn output(&self) -> Option<Schema> {
        let output = |field: &Field| Field::new(&field.name, DType::Float32).nullable(field.nullable);
        Some(Schema::new(self.input.fields.iter().map(output).collect()))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let scaling = self.scaling.as_ref().ok_or_else(|| not_fitted("robust-scale knows no quantiles"))?;
        Scaling::apply_each(scaling, input)
    }
}

impl Estimator for RobustScale {
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
        let scaling = self.seen.conclude(|values| values.scaling(&self.config))?;
        let state = Scaling::state(&scaling);
        self.scaling = Some(scaling);
        Ok(state)
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        self.scaling = Some(Scaling::of_state(state, &self.input)?);
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
struct Values(Quantiles);

impl Values {
    fn scaling(&self, config: &Config) -> Result<Scaling> {
        let quantile = |share: f64| {
            let nothing = || PluginError::invalid_input("the training rows hold no value");
            self.0.quantile(share).ok_or_else(nothing)
        };
        let spread = quantile(config.high)? - quantile(config.low)?;
        let scale = if spread == 0.0 { 1.0 } else { 1.0 / spread };
        if !(spread.is_finite() && scale.is_finite()) {
            return Err(PluginError::invalid_input("the quantiles are too far apart or too close together"));
        }
        let center = if config.center { quantile(0.5)? } else { 0.0 };
        Ok(Scaling { center, scale, shift: 0.0 })
    }
}

impl Summary for Values {
    fn learn(&mut self, column: &ColumnRef<'_>) -> Result<()> {
        for (row, value) in column.numbers()?.enumerate() {
            match value {
                Some(x) if x.is_finite() => self.0.add(x),
                Some(_) => {
                    let message = "a value is not finite; filter or impute it first";
                    return Err(PluginError::invalid_input(message).row(row));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.0.merge(other.0);
        Ok(())
    }

    fn encode(&self, writer: &mut Writer) {
        self.0.encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Quantiles::decode(reader).map(Self)
    }
}

tiegel_plugin::export_estimator!(RobustScale);

#[cfg(test)]
mod tests;
