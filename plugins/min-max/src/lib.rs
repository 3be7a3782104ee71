//! Maps every number column from the range of its training rows to `min`..`max`, as float32.
//!
//! `(x - lowest) / (highest - lowest) * (max - min) + min`. A constant column becomes `min`. Values outside the range of
//! the training rows land outside `min`..`max`, or at its ends with `clip: true`. Nulls stay null and teach nothing.
//! Values that are not finite are refused while fitting; in `transform`, NaN stays NaN.
//!
//! The state depends on the set of the training rows alone, not on their order or chunks.

mod range;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::kernels::clip;
use tiegel_plugin::{
    Batch, Column, ColumnRef, DType, Estimator, Field, PerColumn, PluginError, Result, Scaling, Schema, Transform,
    not_fitted,
};

use crate::range::Range;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What the lowest training value becomes.
    pub min: f32,
    /// What the highest training value becomes.
    pub max: f32,
    /// Values outside the training rows' range become the nearer end.
    pub clip: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { min: 0.0, max: 1.0, clip: false }
    }
}

pub struct MinMax {
    config: Config,
    input: Schema,
    seen: PerColumn<Range>,
    scaling: Option<Vec<Scaling>>,
}

impl Transform for MinMax {
    type Config = Config;

    const PREFERRED_ROWS: u32 = 16_384;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        let width = config.max - config.min;
        if !width.is_finite() || width <= 0.0 {
            return Err(PluginError::invalid_config("min is less than max, and both are finite"));
        }
        input.require("min-max reads single integers and floats", Field::is_number)?;
        Ok(Self { config, input: input.clone(), seen: PerColumn::new(input, &Range::default()), scaling: None })
    }

    fn output(&self) -> Option<Schema> {
        let output = |field: &Field| Field::new(&field.name, DType::Float32).nullable(field.nullable);
        Some(Schema::new(self.input.fields.iter().map(output).collect()))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let scaling = self.scaling.as_ref().ok_or_else(|| not_fitted("min-max knows no ranges"))?;
        let mut columns = Scaling::apply_each(scaling, input)?;
        if self.config.clip {
            columns.iter_mut().for_each(|column| self.clip_valid(column));
        }
        Ok(columns)
    }
}

impl MinMax {
    fn clip_valid(&self, column: &mut Column) {
        let validity = column.validity.take();
        column.edit::<f32>(|values| {
            clip(values, self.config.min, self.config.max);
            // The place of a null is 0, whatever the range.
            let Some(validity) = &validity else { return };
            let nulls = values.iter_mut().enumerate().filter(|(row, _)| !tiegel_plugin::bitmap::bit(validity, *row));
            nulls.for_each(|(_, value)| *value = 0.0);
        });
        column.validity = validity;
    }
}

impl Estimator for MinMax {
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
        let scaling = self.seen.conclude(|range| range.scaling(&self.config))?;
        let state = Scaling::state(&scaling);
        self.scaling = Some(scaling);
        Ok(state)
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        self.scaling = Some(Scaling::of_state(state, &self.input)?);
        Ok(())
    }
}

tiegel_plugin::export_estimator!(MinMax);

#[cfg(test)]
mod tests;
