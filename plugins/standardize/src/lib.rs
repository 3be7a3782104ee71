//! `(x - mean) / standard deviation` for every number column, as float32.
//!
//! Mean and variance are merged from blocks by Chan, Golub and LeVeque (1979). A constant column becomes 0. Nulls stay
//! null, or become 0 (the mean) with `nulls: mean`. Integers and float64 are computed in float64 and rounded once.

mod moments;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::{
    Batch, Column, ColumnRef, DType, Estimator, Field, Result, Scaling, Schema, Transform, not_fitted,
};

use crate::moments::ColumnMoments;

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
        input.require("standardize reads single integers and floats", Field::is_number)?;
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
        let scaling = self.scaling.as_ref().ok_or_else(|| not_fitted("standardize knows no means"))?;
        let mut columns = Scaling::apply_each(scaling, input)?;
        if self.nulls == Nulls::Mean {
            columns.iter_mut().for_each(|column| column.validity = None);
        }
        Ok(columns)
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
#[cfg(test)]
mod vectors;
