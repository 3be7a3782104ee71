//! Turns each category into the mean of the target over its training rows, as float32.
//!
//! The mean of a category is drawn toward the mean of all training rows, the more the fewer rows it has:
//! `(sum + smoothing * prior) / (count + smoothing)`, after Micci-Barreca, "A Preprocessing Scheme for High-Cardinality
//! Categorical Attributes" (2001). Unknown categories become the prior. The target is a number or a boolean; rows where it
//! is null teach nothing. Fit it on the training split only: a row's own target is part of its category's mean, so a
//! small `smoothing` lets a model read the target of rare categories. The target is never seen when serving.
//!
//! Sums of floats depend on the chunks of the training rows within rounding; the host's fixed chunks give the same bytes.

mod means;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::category::for_each_key;
use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::kernels::lookup;
use tiegel_plugin::{
    Batch, Column, ColumnRef, DType, Estimator, Field, PluginError, Result, Schema, Transform, not_fitted,
};

use crate::means::{Encoding, Groups, Mean};

/// Of the bytes of partials and states.
const VERSION: u8 = 1;

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// The prior, as an unknown category.
    #[default]
    Prior,
    /// A category like any other.
    Category,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How many rows of the prior each category starts with.
    #[schemars(range(min = 0.0))]
    pub smoothing: f64,
    /// What a null is.
    pub nulls: Nulls,
}

impl Default for Config {
    fn default() -> Self {
        Self { smoothing: 10.0, nulls: Nulls::Prior }
    }
}

pub struct TargetEncode {
    config: Config,
    input: Schema,
    /// Of all rows with a target.
    prior: Mean,
    seen: Vec<Groups>,
    fitted: Option<Vec<Encoding>>,
}

impl Transform for TargetEncode {
    type Config = Config;

    fn configure(config: Config, input: &Schema, target: Option<&Field>) -> Result<Self> {
        if !config.smoothing.is_finite() || config.smoothing < 0.0 {
            return Err(PluginError::invalid_config("smoothing is a number from 0"));
        }
        input.require("target-encode reads texts, integers and booleans", Field::is_category)?;
        let targets = Schema::new(target.cloned().into_iter().collect());
        targets.require("target-encode learns a target of numbers or booleans", |field| {
            field.is_number() || (field.width == 1 && field.dtype == DType::Boolean)
        })?;
        let seen = vec![Groups::default(); input.fields.len()];
        Ok(Self { config, input: input.clone(), prior: Mean::default(), seen, fitted: None })
    }

    fn output(&self) -> Option<Schema> {
        let output = |field: &Field| Field::new(&field.name, DType::Float32);
        Some(Schema::new(self.input.fields.iter().map(output).collect()))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let fitted = self.fitted.as_ref().ok_or_else(|| not_fitted("target-encode knows no means"))?;
        let encode = |(column, encoding): (ColumnRef<'_>, &Encoding)| {
            let mut codes = Vec::with_capacity(column.rows());
            for_each_key(&column, |_, key| codes.push(encoding.code(key)))?;
            let mut values = Vec::new();
            lookup(&encoding.means, &codes, encoding.prior, &mut values);
            Ok(Column::from_values(&values))
        };
        input.columns().zip(fitted).map(encode).collect()
    }
}

impl Estimator for TargetEncode {
    fn partial_fit(&mut self, input: &Batch, target: Option<ColumnRef<'_>>) -> Result<()> {
        let Some(target) = target else {
            return Err(PluginError::invalid_input("target-encode learns from a target: the step must name one"));
        };
        let target = means::numbers(&target)?;
        target.iter().flatten().for_each(|y| self.prior.add(*y));
        self.seen.iter_mut().zip(input.columns()).try_for_each(|(seen, column)| seen.learn(&column, &target))
    }

    fn partial(&self) -> Result<Vec<u8>> {
        let mut writer = Writer::new(VERSION);
        self.prior.encode(&mut writer);
        self.seen.iter().for_each(|seen| seen.encode(&mut writer));
        Ok(writer.finish())
    }

    fn merge(&mut self, partial: &[u8]) -> Result<()> {
        let mut reader = Reader::new(partial, VERSION)?;
        self.prior.merge(Mean::decode(&mut reader)?);
        for (seen, field) in self.seen.iter_mut().zip(&self.input.fields) {
            Groups::decode(&mut reader).and_then(|other| seen.merge(other)).map_err(|e| e.or_column(&field.name))?;
        }
        reader.finish()
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        let Some(prior) = self.prior.value() else {
            return Err(PluginError::invalid_input("the target is null in all training rows"));
        };
        if !prior.is_finite() {
            return Err(PluginError::invalid_input("the targets are too large for a mean"));
        }
        let fitted: Vec<_> = self.seen.iter().map(|seen| Encoding::new(&self.config, seen, prior)).collect();
        let mut writer = Writer::new(VERSION);
        fitted.iter().for_each(|encoding| encoding.encode(&mut writer));
        self.fitted = Some(fitted);
        Ok(writer.finish())
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        let mut reader = Reader::new(state, VERSION)?;
        let columns = self.input.fields.iter();
        let fitted = columns.map(|field| Encoding::decode(&mut reader).map_err(|e| e.or_column(&field.name)));
        let fitted = fitted.collect::<Result<_>>()?;
        reader.finish()?;
        self.fitted = Some(fitted);
        Ok(())
    }
}

tiegel_plugin::export_estimator!(TargetEncode);

#[cfg(test)]
mod tests;
