//! Cuts texts into WordPiece tokens, for models of the BERT family.
//!
//! Each text column becomes two int32 blocks of fixed `length`: `{column}_ids`, the numbers of the tokens between `[CLS]`
//! and `[SEP]` and then `[PAD]`, and `{column}_mask`, 1 for tokens and 0 for padding. Texts that are too long lose their
//! end. A null is an empty text.
//!
//! The rules are those of Devlin et al., "BERT" (2019): control characters go, words part at white space, punctuation and
//! Chinese characters, letters become lowercase and lose their accents; a word is then cut into the longest pieces that
//! the vocabulary holds, from the left (Wu et al., 2016), and is `[UNK]` where that fails. The vocabulary is the artifact
//! `vocab.txt`, one token a line, the line's number from 0 being the token's. The one that lies here holds the printable
//! ASCII characters, and is meant to be replaced by that of the model.

mod basic;
mod vocabulary;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::{Batch, Column, ColumnRef, DType, Field, PluginError, Result, Schema, Transform, artifact};

use crate::basic::Rules;
use crate::vocabulary::Vocabulary;

/// The artifact that holds the vocabulary.
const VOCABULARY: &str = "vocab.txt";

/// Tokens of a row, at most.
const LENGTH_MAX: u32 = 4_096;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Tokens of a row, with `[CLS]` and `[SEP]`.
    #[schemars(range(min = 3, max = 4_096))]
    pub length: u32,
    /// For uncased vocabularies: makes letters lowercase.
    pub lowercase: bool,
    /// Takes accents off letters; without it where `lowercase` is set.
    pub strip_accents: Option<bool>,
}

impl Default for Config {
    fn default() -> Self {
        Self { length: 128, lowercase: true, strip_accents: None }
    }
}

pub struct TextTokenize {
    length: usize,
    rules: Rules,
    vocabulary: Vocabulary,
    output: Schema,
}

impl Transform for TextTokenize {
    type Config = Config;

    const PREFERRED_ROWS: u32 = 1_024;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        if config.length < 3 || config.length > LENGTH_MAX {
            return Err(PluginError::invalid_config(format!("length is 3 to {LENGTH_MAX}")));
        }
        input.require("text-tokenize reads texts", |field| field.width == 1 && field.dtype == DType::Utf8)?;
        let vocabulary = Vocabulary::parse(&artifact(VOCABULARY)?)?;
        let mut output = Schema::default();
        for field in &input.fields {
            let block = |name: &str| Field::new(format!("{}_{name}", field.name), DType::Int32).width(config.length);
            output.fields.extend([block("ids"), block("mask")]);
        }
        let strip_accents = config.strip_accents.unwrap_or(config.lowercase);
        let rules = Rules { lowercase: config.lowercase, strip_accents };
        Ok(Self { length: config.length as usize, rules, vocabulary, output })
    }

    fn output(&self) -> Option<Schema> {
        Some(self.output.clone())
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let mut output = Vec::with_capacity(self.output.fields.len());
        for column in input.columns() {
            output.extend(self.tokenize(&column)?);
        }
        Ok(output)
    }
}

impl TextTokenize {
    /// The tokens and the mask of one column.
    fn tokenize(&self, column: &ColumnRef<'_>) -> Result<[Column; 2]> {
        let values = column.rows() * self.length;
        let (mut ids, mut mask) = (Vec::with_capacity(values), Vec::with_capacity(values));
        for text in column.texts()? {
            let end = ids.len() + self.length;
            ids.push(self.vocabulary.cls);
            for word in self.rules.words(text.unwrap_or_default()) {
                if ids.len() >= end - 1 {
                    break;
                }
                self.vocabulary.cut(&word, &mut ids);
            }
            ids.truncate(end - 1);
            ids.push(self.vocabulary.sep);
            mask.resize(ids.len(), 1i32);
            ids.resize(end, self.vocabulary.pad);
            mask.resize(end, 0);
        }
        Ok([Column::from_values(&ids), Column::from_values(&mask)])
    }
}

tiegel_plugin::export!(TextTokenize);

#[cfg(test)]
mod tests;
