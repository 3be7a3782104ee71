//! Puts a value in the place of nulls: the mean, median or mode of the training rows, or a constant.
//!
//! Columns keep name and type and lose their nulls. The mean and median of whole numbers are rounded, halves away from
//! zero. The median is exact up to 100,000 different values in a column; beyond that it comes from a sketch of as many
//! bins, which does not depend on the order of the rows. Of equally frequent values the mode is the smallest.

mod fill;
mod learned;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{Batch, Column, ColumnRef, DType, Estimator, Field, PluginError, Result, Schema, Transform};

use crate::fill::Fill;
use crate::learned::Learned;

/// Of the bytes of partials and states.
const VERSION: u8 = 1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Numbers, dates and timestamps.
    #[default]
    Mean,
    /// Numbers, dates and timestamps.
    Median,
    /// The most frequent value, of any type.
    Mode,
    /// `value`.
    Constant,
}

#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Constant {
    Boolean(bool),
    Number(f64),
    Text(String),
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How the value is found.
    pub strategy: Strategy,
    /// The value of strategy `constant`.
    pub value: Option<Constant>,
}

pub struct Impute {
    config: Config,
    input: Schema,
    seen: Vec<Learned>,
    fills: Option<Vec<Fill>>,
}

impl Transform for Impute {
    type Config = Config;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if config.value.is_some() != (config.strategy == Strategy::Constant) {
            return Err(PluginError::invalid_config("value and strategy `constant` go together"));
        }
        for field in &input.fields {
            check(&config, field)?;
        }
        let seen = vec![Learned::new(config.strategy); input.fields.len()];
        Ok(Self { config, input: input.clone(), seen, fills: None })
    }

    fn output(&self) -> Option<Schema> {
        let filled = |field: &Field| field.clone().nullable(false);
        Some(Schema::new(self.input.fields.iter().map(filled).collect()))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let Some(fills) = &self.fills else {
            return Err(PluginError::not_fitted("impute knows no values yet: fit it first"));
        };
        let (schema, rows) = (std::rc::Rc::clone(input.schema()), input.rows());
        let columns = schema.fields.iter().zip(input.into_columns()).zip(fills);
        columns.map(|((field, column), fill)| fill.apply(field, column, rows)).collect()
    }
}

impl Estimator for Impute {
    fn partial_fit(&mut self, input: &Batch, _target: Option<ColumnRef<'_>>) -> Result<()> {
        self.seen.iter_mut().zip(input.columns()).try_for_each(|(seen, column)| seen.learn(&column))
    }

    fn partial(&self) -> Result<Vec<u8>> {
        let mut writer = Writer::new(VERSION);
        self.seen.iter().for_each(|seen| seen.encode(&mut writer));
        Ok(writer.finish())
    }

    fn merge(&mut self, partial: &[u8]) -> Result<()> {
        let mut reader = Reader::new(partial, VERSION)?;
        for (seen, field) in self.seen.iter_mut().zip(&self.input.fields) {
            let other = Learned::decode(self.config.strategy, &mut reader)?;
            seen.merge(other, &field.name)?;
        }
        reader.finish()
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let columns = self.seen.iter().zip(&self.input.fields);
        let fills: Vec<Fill> =
            columns.map(|(seen, field)| seen.fill(field, self.config.value.as_ref())).collect::<Result<_>>()?;
        let mut writer = Writer::new(VERSION);
        fills.iter().for_each(|fill| writer.bytes(fill.bytes()));
        self.fills = Some(fills);
        Ok(writer.finish())
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        let mut reader = Reader::new(state, VERSION)?;
        let fields = self.input.fields.iter();
        let fills = fields.map(|field| Fill::new(field.dtype, reader.bytes()?.to_vec())).collect::<Result<_>>()?;
        reader.finish()?;
        self.fills = Some(fills);
        Ok(())
    }
}

fn check(config: &Config, field: &Field) -> Result<()> {
    let dtype = field.dtype;
    let is_number = learned::is_number(dtype);
    let fits = match (config.strategy, &config.value) {
        (Strategy::Mean | Strategy::Median, _) | (_, Some(Constant::Number(_))) => is_number,
        (Strategy::Mode, _) => is_number || matches!(dtype, DType::Boolean | DType::Utf8),
        (_, Some(Constant::Boolean(_))) => dtype == DType::Boolean,
        (_, Some(Constant::Text(_))) => dtype == DType::Utf8,
        (Strategy::Constant, None) => false,
    };
    if fits && field.width == 1 {
        return Ok(());
    }
    let strategy = match config.strategy {
        Strategy::Mean => "a mean",
        Strategy::Median => "a median",
        Strategy::Mode => "a mode",
        Strategy::Constant => "this constant",
    };
    let message = format!("{strategy} cannot fill a column of type {} and width {}", dtype.as_str(), field.width);
    Err(PluginError::invalid_schema(message).column(&field.name))
}

tiegel_plugin::export_estimator!(Impute);

#[cfg(test)]
mod tests;
