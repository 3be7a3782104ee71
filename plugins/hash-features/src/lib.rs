//! Hashes any number of columns into one float32 block of fixed width, the signed hashing trick of Weinberger et al.,
//! "Feature Hashing for Large Scale Multitask Learning" (2009).
//!
//! A text, boolean, or number named under `categories` adds 1 or -1 to the slot of `column=value`; any other number adds
//! itself or its negative to the slot of `column`. Slot and sign come from MurmurHash3 (32 bits), as in scikit-learn's
//! FeatureHasher: the slot is the hash's absolute value modulo the width, the sign is the hash's. Nulls add nothing. There
//! is no state: values that were never seen are as good as any.

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::{Batch, Column, ColumnRef, DType, Field, PluginError, Result, Schema, Transform};

/// Slots of a block, at most.
const WIDTH_MAX: u32 = 16_384;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Slots of the block: more slots, fewer collisions.
    #[schemars(range(min = 1, max = 16_384))]
    pub width: u32,
    /// The name of the output column.
    pub output: String,
    /// Columns of whole numbers that are codes, not amounts.
    pub categories: Vec<String>,
    /// Lets half of the entries count negative, so that collisions cancel out on average.
    pub signed: bool,
    /// Another seed gives other collisions.
    pub seed: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { width: 256, output: "hashed".to_owned(), categories: Vec::new(), signed: true, seed: 0 }
    }
}

pub struct HashFeatures {
    config: Config,
    /// Whether each column's values are categories.
    categories: Vec<bool>,
}

/// Where an entry goes, and whether it counts negative.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slot {
    index: usize,
    sign: f32,
}

impl Transform for HashFeatures {
    type Config = Config;

    /// The widest blocks of so many rows are 64 MiB.
    const PREFERRED_ROWS: u32 = 1_024;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if config.width == 0 || config.width > WIDTH_MAX {
            return Err(PluginError::invalid_config(format!("width is 1 to {WIDTH_MAX}")));
        }
        input.require("hash-features reads texts, numbers and booleans", |f| f.is_category() || f.is_number())?;
        for name in &config.categories {
            match input.field(name) {
                None => {
                    return Err(PluginError::invalid_config("categories names a column that is not read").column(name));
                }
                Some(field) if !field.is_category() => {
                    return Err(PluginError::invalid_config("floats are no categories").column(name));
                }
                Some(_) => {}
            }
        }
        let named = |field: &Field| config.categories.contains(&field.name) || !field.dtype.is_number();
        let categories = input.fields.iter().map(named).collect();
        Ok(Self { config, categories })
    }

    fn output(&self) -> Option<Schema> {
        Some(Schema::new(vec![Field::new(&self.config.output, DType::Float32).width(self.config.width)]))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let width = self.config.width as usize;
        let mut columns = input.columns().zip(&self.categories);
        let mut added = Ok(());
        let block = Column::filled::<f32>(input.rows() * width, |block| {
            added = columns.try_for_each(|(column, is_category)| match is_category {
                true => self.add_categories(&column, block),
                false => self.add_numbers(&column, block),
            });
        });
        added.map(|()| vec![block])
    }
}

impl HashFeatures {
    fn add_numbers(&self, column: &ColumnRef<'_>, block: &mut [f32]) -> Result<()> {
        let (slot, width) = (self.slot(column.name().as_bytes())?, self.config.width as usize);
        for (row, value) in column.numbers()?.enumerate() {
            let Some(value) = value else { continue };
            if !value.is_finite() {
                let message = "a value is not finite; filter or impute it first";
                return Err(PluginError::invalid_input(message).column(column.name()).row(row));
            }
            block[row * width + slot.index] += slot.sign * value as f32;
        }
        Ok(())
    }

    fn add_categories(&self, column: &ColumnRef<'_>, block: &mut [f32]) -> Result<()> {
        let width = self.config.width as usize;
        let mut key = format!("{}=", column.name()).into_bytes();
        let prefix = key.len();
        let mut add = |row: usize, value: &[u8]| {
            key.truncate(prefix);
            key.extend_from_slice(value);
            let slot = self.slot(&key)?;
            block[row * width + slot.index] += slot.sign;
            Ok(())
        };
        macro_rules! written {
            ($values:expr) => {{
                for (row, value) in $values.enumerate() {
                    if let Some(value) = value {
                        add(row, value.to_string().as_bytes())?;
                    }
                }
                Ok(())
            }};
        }
        match column.dtype() {
            DType::Utf8 => column.texts()?.enumerate().try_for_each(|(row, value)| match value {
                Some(value) => add(row, value.as_bytes()),
                None => Ok(()),
            }),
            DType::Boolean => written!(column.booleans()?),
            DType::Int8 => written!(column.options::<i8>()?),
            DType::Int16 => written!(column.options::<i16>()?),
            DType::Int32 => written!(column.options::<i32>()?),
            DType::Int64 => written!(column.options::<i64>()?),
            DType::Uint8 => written!(column.options::<u8>()?),
            DType::Uint16 => written!(column.options::<u16>()?),
            DType::Uint32 => written!(column.options::<u32>()?),
            _ => written!(column.options::<u64>()?),
        }
    }

    fn slot(&self, key: &[u8]) -> Result<Slot> {
        let mut reader = key;
        let hash = murmur3::murmur3_32(&mut reader, self.config.seed)
            .map_err(|error| PluginError::internal(format!("hashing: {error}")))?
            .cast_signed();
        let index = hash.unsigned_abs() as usize % self.config.width as usize;
        Ok(Slot { index, sign: if self.config.signed && hash < 0 { -1.0 } else { 1.0 } })
    }
}

tiegel_plugin::export!(HashFeatures);

#[cfg(test)]
mod tests;
