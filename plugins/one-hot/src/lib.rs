//! One float32 block of zeros and a one for every column of categories.
//!
//! The slots are the categories that the training rows held, in ascending order of value (numbers by size, texts by
//! their UTF-8 bytes, false before true). `max_categories` keeps the most frequent ones, of equally frequent ones the
//! smaller value; the order stays that of the value. After them come, where asked for, a slot for values that the
//! training rows did not hold and one for nulls.

mod categories;
mod counts;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::{Batch, Column, ColumnRef, DType, Estimator, Field, PluginError, Result, Schema, Transform};

use crate::categories::Categories;
use crate::counts::Counts;

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// All zeros.
    #[default]
    Zero,
    /// A slot of its own.
    Column,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Categories seen less often count as unknown.
    #[schemars(range(min = 1))]
    pub min_count: u64,
    /// Slots for categories, per column; the most frequent ones are kept.
    #[schemars(range(min = 1, max = 65_536))]
    pub max_categories: u32,
    /// What a value becomes that the training rows did not hold, or too rarely.
    pub unknown: Slot,
    /// What a null becomes.
    pub nulls: Slot,
}

impl Default for Config {
    fn default() -> Self {
        Self { min_count: 1, max_categories: 1_000, unknown: Slot::Zero, nulls: Slot::Zero }
    }
}

pub struct OneHot {
    config: Config,
    input: Schema,
    seen: Vec<Counts>,
    fitted: Option<Vec<Categories>>,
}

impl Transform for OneHot {
    type Config = Config;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if config.min_count == 0 || config.max_categories == 0 || config.max_categories > 65_536 {
            return Err(PluginError::invalid_config("min_count is at least 1, max_categories is 1 to 65536"));
        }
        let reads =
            |f: &Field| f.width == 1 && (f.dtype.is_integer() || matches!(f.dtype, DType::Utf8 | DType::Boolean));
        if let Some(field) = input.fields.iter().find(|field| !reads(field)) {
            let message = format!("one-hot reads texts, integers and booleans, not {}", field.dtype.as_str());
            return Err(PluginError::invalid_schema(message).column(&field.name));
        }
        let seen = vec![Counts::default(); input.fields.len()];
        Ok(Self { config, input: input.clone(), seen, fitted: None })
    }

    fn output(&self) -> Option<Schema> {
        let fitted = self.fitted.as_ref()?;
        let block = |(field, categories): (&Field, &Categories)| {
            Field::new(&field.name, DType::Float32).width(categories.width() as u32)
        };
        Some(Schema::new(self.input.fields.iter().zip(fitted).map(block).collect()))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let Some(fitted) = &self.fitted else {
            return Err(PluginError::not_fitted("one-hot knows no categories yet: fit it first"));
        };
        input.columns().zip(fitted).map(|(column, categories)| categories.encode(&column)).collect()
    }
}

impl Estimator for OneHot {
    fn partial_fit(&mut self, input: &Batch, _target: Option<ColumnRef<'_>>) -> Result<()> {
        self.seen.iter_mut().zip(input.columns()).try_for_each(|(seen, column)| seen.learn(&column))
    }

    fn partial(&self) -> Result<Vec<u8>> {
        Ok(counts::encode(&self.seen))
    }

    fn merge(&mut self, partial: &[u8]) -> Result<()> {
        let others = counts::decode(partial, self.seen.len())?;
        let named = self.seen.iter_mut().zip(others).zip(&self.input.fields);
        named.into_iter().try_for_each(|((seen, other), field)| seen.merge(other, &field.name))
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let columns = self.seen.iter().zip(&self.input.fields);
        let chosen: Vec<Categories> = columns
            .map(|(seen, field)| Categories::new(&self.config, seen.most_frequent(&self.config), &field.name))
            .collect::<Result<_>>()?;
        let state = categories::encode(&chosen);
        self.fitted = Some(chosen);
        Ok(state)
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        let columns = categories::decode(state, self.input.fields.len())?;
        let named = columns.into_iter().zip(&self.input.fields);
        self.fitted = Some(
            named.map(|(values, field)| Categories::new(&self.config, values, &field.name)).collect::<Result<_>>()?,
        );
        Ok(())
    }
}

tiegel_plugin::export_estimator!(OneHot);

#[cfg(test)]
mod tests;
