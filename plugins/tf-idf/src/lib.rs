//! Weighs the words of a text by how few of the training texts hold them: one float32 block for each text column.
//!
//! A slot holds `tf * (ln((1 + n) / (1 + df)) + 1)`: tf is how often the word stands in the text, n the number of training
//! texts, df how many of them hold the word (Spärck Jones, 1972, smoothed as if one more text held every word). Each
//! text's block then has length one, or is zero where the text holds no word of the vocabulary; so are nulls.
//!
//! Words are runs of letters, digits and underscores, at least `min_chars` long, in lowercase. The vocabulary is the words
//! that most of the training texts hold, of equals the smaller; slots stand in their order. The state depends on the set
//! of training rows alone, not on their order or chunks.

mod words;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{
    Batch, Column, ColumnRef, DType, Estimator, Field, PerColumn, PluginError, Result, Schema, Transform, not_fitted,
};

use crate::words::{Documents, Vocabulary, for_each_word};

/// Of the bytes of a state.
const VERSION: u8 = 1;

/// Slots of a block, at most.
const WORDS_MAX: u32 = 16_384;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Slots of a block; the words that most of the texts hold are kept.
    #[schemars(range(min = 1, max = 16_384))]
    pub max_words: u32,
    /// Words that fewer of the training texts hold are left out.
    #[schemars(range(min = 1))]
    pub min_texts: u64,
    /// Words that a larger share of the training texts holds are left out, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub max_share: f64,
    /// Shorter words are left out.
    #[schemars(range(min = 1))]
    pub min_chars: u32,
    /// Counts a word that stands n times in a text as 1 + ln(n).
    pub sublinear: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { max_words: 1_024, min_texts: 1, max_share: 1.0, min_chars: 2, sublinear: false }
    }
}

pub struct TfIdf {
    config: Config,
    input: Schema,
    seen: PerColumn<Documents>,
    fitted: Option<Vec<Vocabulary>>,
}

impl Transform for TfIdf {
    type Config = Config;

    /// The widest blocks of so many rows are 64 MiB.
    const PREFERRED_ROWS: u32 = 1_024;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if config.max_words == 0 || config.max_words > WORDS_MAX {
            return Err(PluginError::invalid_config(format!("max_words is 1 to {WORDS_MAX}")));
        }
        if config.min_texts == 0 || config.min_chars == 0 || !(0.0..=1.0).contains(&config.max_share) {
            return Err(PluginError::invalid_config("min_texts and min_chars are at least 1, max_share is 0 to 1"));
        }
        input.require("tf-idf reads texts", |field| field.width == 1 && field.dtype == DType::Utf8)?;
        let seen = PerColumn::new(input, &Documents::new(config.min_chars));
        Ok(Self { config, input: input.clone(), seen, fitted: None })
    }

    fn output(&self) -> Option<Schema> {
        let fitted = self.fitted.as_ref()?;
        let block = |(field, vocabulary): (&Field, &Vocabulary)| {
            Field::new(&field.name, DType::Float32).width(vocabulary.len() as u32)
        };
        Some(Schema::new(self.input.fields.iter().zip(fitted).map(block).collect()))
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let fitted = self.fitted.as_ref().ok_or_else(|| not_fitted("tf-idf knows no words"))?;
        input.columns().zip(fitted).map(|(column, vocabulary)| self.weigh(&column, vocabulary)).collect()
    }
}

impl TfIdf {
    fn weigh(&self, column: &ColumnRef<'_>, vocabulary: &Vocabulary) -> Result<Column> {
        let (mut texts, width) = (column.texts()?, vocabulary.len());
        Ok(Column::filled::<f32>(column.rows() * width, |block| {
            for row in block.chunks_exact_mut(width) {
                let mut counts = BTreeMap::new();
                for_each_word(texts.next().flatten().unwrap_or_default(), self.config.min_chars, |word| {
                    vocabulary.code(word).into_iter().for_each(|code| *counts.entry(code).or_insert(0u32) += 1);
                });
                let weight = |(code, count): (&u32, &u32)| {
                    let count = f64::from(*count);
                    let frequency = if self.config.sublinear { 1.0 + count.ln() } else { count };
                    (*code as usize, frequency * vocabulary.idf(*code))
                };
                // In the order of the slots, so that the sum is the same for the same words.
                let weights: Vec<_> = counts.iter().map(weight).collect();
                let length = weights.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
                weights.into_iter().for_each(|(slot, weight)| row[slot] = (weight / length) as f32);
            }
        }))
    }
}

impl Estimator for TfIdf {
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
        let fitted = self.seen.conclude(|documents| documents.vocabulary(&self.config))?;
        let mut writer = Writer::new(VERSION);
        fitted.iter().for_each(|vocabulary| vocabulary.encode(&mut writer));
        self.fitted = Some(fitted);
        Ok(writer.finish())
    }

    fn load(&mut self, state: &[u8], _version: u32) -> Result<()> {
        let mut reader = Reader::new(state, VERSION)?;
        let columns = self.input.fields.iter();
        let fitted = columns.map(|field| Vocabulary::decode(&mut reader).map_err(|e| e.or_column(&field.name)));
        let fitted = fitted.collect::<Result<_>>()?;
        reader.finish()?;
        self.fitted = Some(fitted);
        Ok(())
    }
}

tiegel_plugin::export_estimator!(TfIdf);

#[cfg(test)]
mod tests;
