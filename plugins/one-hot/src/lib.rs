//! One float32 block of zeros and a one for every column of categories.
//!
//! The slots are the categories that the training rows held, in ascending order of value (numbers by size, texts by
//! their UTF-8 bytes, false before true). `max_categories` keeps the most frequent ones, of equally frequent ones the
//! smaller value; the order stays that of the value. After them come, where asked for, a slot for values that the
//! training rows did not hold and one for nulls.

mod categories;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::category::Counts;
use tiegel_plugin::{
    Batch, Column, ColumnRef, DType, Estimator, Field, PerColumn, PluginError, Result, Schema, Transform, not_fitted,
};

use crate::categories::Categories;

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
    seen: PerColumn<Counts>,
    fitted: Option<Vec<Categories>>,
}

impl Transform for OneHot {
    type Config = Config;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if config.min_count == 0 || config.max_categories == 0 || config.max_categories > 65_536 {
            return Err(PluginError::invalid_config("min_count is at least 1, max_categories is 1 to 65536"));
        }
        input.require("one-hot reads texts, integers and booleans", Field::is_category)?;
        let seen = PerColumn::new(input, &Counts::default());
        Ok(Self { config, input: input.clone(), seen, fitted: None })
    }

    fn output(&self) -> Option<Schema> {
        let fitted = self.fitted.as_ref()?;
        let block = |(field, categories): (&Field, &Categories)| {
            Field::new(&field.name, DType::Float32).width(categories.width())
        };
        Some(Schema::new(self.input.fields.iter().zip(fitted).map(block).collect()))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let fitted = self.fitted.as_ref().ok_or_else(|| not_fitted("one-hot knows no categories"))?;
        input.columns().zip(fitted).map(|(column, categories)| categories.encode(&column)).collect()
    }
}

impl Estimator for OneHot {
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
        let chosen = self.seen.conclude(|counts| Categories::most_frequent(&self.config, counts))?;
        let state = categories::encode(&chosen);
        self.fitted = Some(chosen);
        Ok(state)
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        self.fitted = Some(categories::decode(state, &self.config, &self.input)?);
        Ok(())
    }
}

tiegel_plugin::export_estimator!(OneHot);

#[cfg(test)]
mod tests;
