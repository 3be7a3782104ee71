//! Turns each category into a whole number, as int32.
//!
//! The numbers count from 0, in ascending order of value (numbers by size, texts by their UTF-8 bytes, false before
//! true) or, with `order: frequency`, the most frequent first, which keeps an embedding's rows dense. `max_categories`
//! keeps the most frequent ones, of equally frequent ones the smaller value. After the categories come, where asked for, a
//! number for values that the training rows did not hold and one for nulls. The state depends on the set of training
//! rows alone, not on their order or chunks.

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::category::{Counts, Dictionary, for_each_key};
use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{
    Batch, Column, ColumnRef, DType, Estimator, Field, NumberBuilder, PerColumn, PluginError, Result, Schema,
    Transform, not_fitted,
};

/// Of the bytes of a state.
const VERSION: u8 = 1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Ascending by value.
    #[default]
    Value,
    /// The most frequent first, of equally frequent ones the smaller value.
    Frequency,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// A number of its own, after those of the categories.
    Number,
    /// Null.
    Null,
    /// The row is refused.
    Error,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// In which order the categories are numbered.
    pub order: Order,
    /// Categories seen less often count as unknown.
    #[schemars(range(min = 1))]
    pub min_count: u64,
    /// Numbers for categories, per column; the most frequent ones are kept.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_categories: u32,
    /// What a value becomes that the training rows did not hold, or too rarely.
    pub unknown: Otherwise,
    /// What a null becomes.
    pub nulls: Otherwise,
}

impl Default for Config {
    fn default() -> Self {
        let (unknown, nulls) = (Otherwise::Number, Otherwise::Null);
        Self { order: Order::Value, min_count: 1, max_categories: 100_000, unknown, nulls }
    }
}

pub struct Ordinal {
    config: Config,
    input: Schema,
    seen: PerColumn<Counts>,
    fitted: Option<Vec<Dictionary>>,
}

impl Transform for Ordinal {
    type Config = Config;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if config.min_count == 0 || config.max_categories == 0 || config.max_categories > 100_000 {
            return Err(PluginError::invalid_config("min_count is at least 1, max_categories is 1 to 100000"));
        }
        input.require("ordinal reads texts, integers and booleans", Field::is_category)?;
        Ok(Self { config, input: input.clone(), seen: PerColumn::new(input, &Counts::default()), fitted: None })
    }

    fn output(&self) -> Option<Schema> {
        let nulls = self.config.nulls == Otherwise::Null;
        let unknowns = self.config.unknown == Otherwise::Null;
        let output =
            |field: &Field| Field::new(&field.name, DType::Int32).nullable(unknowns || (nulls && field.nullable));
        Some(Schema::new(self.input.fields.iter().map(output).collect()))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let fitted = self.fitted.as_ref().ok_or_else(|| not_fitted("ordinal knows no categories"))?;
        input.columns().zip(fitted).map(|(column, categories)| self.number(&column, categories)).collect()
    }
}

impl Ordinal {
    fn number(&self, column: &ColumnRef<'_>, categories: &Dictionary) -> Result<Column> {
        let unknown = categories.len() as i32;
        let null = unknown + i32::from(self.config.unknown == Otherwise::Number);
        let mut numbers = NumberBuilder::with_capacity(column.rows());
        let mut refused = None;
        for_each_key(column, |row, key| {
            let code = key.and_then(|key| categories.code(key));
            let (otherwise, number) =
                if key.is_some() { (self.config.unknown, unknown) } else { (self.config.nulls, null) };
            numbers.push(match (code, otherwise) {
                (Some(code), _) => Some(code as i32),
                (None, Otherwise::Number) => Some(number),
                (None, Otherwise::Null) => None,
                (None, Otherwise::Error) => {
                    refused.get_or_insert((row, key.is_some()));
                    None
                }
            });
        })?;
        match refused {
            None => Ok(numbers.finish()),
            Some((row, has_value)) => {
                let what = if has_value { "the training rows did not hold this value" } else { "the value is null" };
                Err(PluginError::invalid_input(what).column(column.name()).row(row))
            }
        }
    }

    fn choose(&self, counts: &Counts) -> Result<Dictionary> {
        let mut keys = counts.most_frequent(self.config.min_count, self.config.max_categories as usize);
        if keys.is_empty() {
            let message = format!("no value occurs {} times or more in the training rows", self.config.min_count);
            return Err(PluginError::invalid_input(message));
        }
        if self.config.order == Order::Value {
            keys.sort();
        }
        Ok(Dictionary::new(keys))
    }
}

impl Estimator for Ordinal {
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
        let chosen = self.seen.conclude(|counts| self.choose(counts))?;
        let mut writer = Writer::new(VERSION);
        chosen.iter().for_each(|categories| categories.encode(&mut writer));
        self.fitted = Some(chosen);
        Ok(writer.finish())
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        let mut reader = Reader::new(state, VERSION)?;
        let columns = self.input.fields.iter();
        let fitted = columns.map(|field| Dictionary::decode(&mut reader).map_err(|e| e.or_column(&field.name)));
        let fitted = fitted.collect::<Result<_>>()?;
        reader.finish()?;
        self.fitted = Some(fitted);
        Ok(())
    }
}

tiegel_plugin::export_estimator!(Ordinal);

#[cfg(test)]
mod tests;
