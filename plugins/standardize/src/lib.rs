//! `(x - mean) / standard deviation` for every number column, as float32.
//!
//! Mean and variance are merged from blocks by Chan, Golub and LeVeque (1979). A constant column becomes 0. Nulls stay
//! null, or become 0 (the mean) with `nulls: mean`. Integers and float64 are computed in float64 and rounded once.

mod moments;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::kernels::center_scale;
use tiegel_plugin::{
    Batch, Column, ColumnRef, DType, Estimator, Field, PluginError, Result, Schema, Transform, bitmap,
};

use crate::moments::{ColumnMoments, Scaling};

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// A null stays null.
    #[default]
    Keep,
    /// A null becomes the mean, which is 0.
    Mean,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What becomes of nulls.
    pub nulls: Nulls,
}

pub struct Standardize {
    nulls: Nulls,
    input: Schema,
    seen: Vec<ColumnMoments>,
    scaling: Option<Vec<Scaling>>,
}

impl Transform for Standardize {
    type Config = Config;

    const PREFERRED_ROWS: u32 = 16_384;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if let Some(field) = input.fields.iter().find(|f| !f.dtype.is_number() || f.width != 1) {
            let message = format!(
                "standardize reads single integers and floats, not {} of width {}",
                field.dtype.as_str(),
                field.width
            );
            return Err(PluginError::invalid_schema(message).column(&field.name));
        }
        let seen = vec![ColumnMoments::default(); input.fields.len()];
        Ok(Self { nulls: config.nulls, input: input.clone(), seen, scaling: None })
    }

    fn output(&self) -> Option<Schema> {
        let output = |field: &Field| {
            let nullable = field.nullable && self.nulls == Nulls::Keep;
            Field::new(&field.name, DType::Float32).nullable(nullable)
        };
        Some(Schema::new(self.input.fields.iter().map(output).collect()))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let Some(scaling) = &self.scaling else {
            return Err(PluginError::not_fitted("standardize knows no means yet: fit it first"));
        };
        let schema = std::rc::Rc::clone(input.schema());
        let rows = input.rows();
        let columns = schema.fields.iter().zip(input.into_columns()).zip(scaling);
        columns.map(|((field, column), scaling)| self.scale(field, column, (rows, *scaling))).collect()
    }
}

impl Standardize {
    fn scale(&self, field: &Field, mut column: Column, (rows, scaling): (usize, Scaling)) -> Result<Column> {
        if field.dtype == DType::Float32 {
            column.edit::<f32>(|values| center_scale(values, scaling.mean, scaling.scale));
        } else {
            let numbers = ColumnRef::new(field, &column, rows).numbers()?;
            let scaled: Vec<f32> =
                numbers.map(|x| x.map_or(0.0, |x| ((x - scaling.mean) * scaling.scale) as f32)).collect();
            column = Column { validity: column.validity, ..Column::from_values(&scaled) };
        }
        // A null's place holds arbitrary bytes: zeroing it keeps the same rows at the same bytes.
        if let Some(validity) = &column.validity {
            let validity = validity.clone();
            column.edit::<f32>(|values| {
                let nulls = values.iter_mut().enumerate().filter(|(row, _)| !bitmap::bit(&validity, *row));
                nulls.for_each(|(_, value)| *value = 0.0);
            });
        }
        if self.nulls == Nulls::Mean {
            column.validity = None;
        }
        Ok(column)
    }
}

impl Estimator for Standardize {
    fn partial_fit(&mut self, input: &Batch, _target: Option<ColumnRef<'_>>) -> Result<()> {
        self.seen.iter_mut().zip(input.columns()).try_for_each(|(seen, column)| seen.learn(&column))
    }

    fn partial(&self) -> Result<Vec<u8>> {
        Ok(moments::encode(&self.seen))
    }

    fn merge(&mut self, partial: &[u8]) -> Result<()> {
        let others = moments::decode(partial, self.seen.len())?;
        self.seen.iter_mut().zip(others).for_each(|(seen, other)| seen.merge(other));
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let named = self.seen.iter().zip(&self.input.fields);
        self.scaling = Some(named.map(|(seen, field)| seen.scaling(&field.name)).collect::<Result<_>>()?);
        Ok(moments::encode(&self.seen))
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        self.seen = moments::decode(state, self.input.fields.len())?;
        self.finish().map(drop)
    }
}

tiegel_plugin::export_estimator!(Standardize);

#[cfg(test)]
mod tests;
