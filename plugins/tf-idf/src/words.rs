use std::collections::BTreeSet;

use tiegel_plugin::category::{Counts, Dictionary};
use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{ColumnRef, PluginError, Result, Summary};

use crate::Config;

/// Different words of a column: their texts are no prose.
const DIFFERENT_WORDS_MAX: usize = 500_000;

/// Calls `each` with every word of a text, in lowercase.
pub fn for_each_word(text: &str, min_chars: u32, each: impl FnMut(&str)) {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.filter(|word| !word.is_empty() && word.chars().count() >= min_chars as usize).for_each(each);
}

/// How many texts there were, and how many of them hold each word.
#[derive(Clone, Debug)]
pub struct Documents {
    min_chars: u32,
    texts: u64,
    holding: Counts,
}

impl Documents {
    pub fn new(min_chars: u32) -> Self {
        Self { min_chars, texts: 0, holding: Counts::default() }
    }

    /// # Errors
    /// When no word is left.
    pub fn vocabulary(&self, config: &Config) -> Result<Vocabulary> {
        let common = config.max_share * self.texts as f64;
        let rare_enough = |key: &Vec<u8>| self.holding.get(key) as f64 <= common;
        let mut words = self.holding.most_frequent(config.min_texts, usize::MAX);
        words.retain(rare_enough);
        words.truncate(config.max_words as usize);
        if words.is_empty() {
            return Err(PluginError::invalid_input("the training rows hold no word that min_texts and max_share keep"));
        }
        words.sort();
        let holding = words.iter().map(|word| self.holding.get(word)).collect();
        Ok(Vocabulary::new(self.texts, Dictionary::new(words), holding))
    }

    fn check(&self) -> Result<()> {
        if self.holding.len() <= DIFFERENT_WORDS_MAX {
            return Ok(());
        }
        let message = format!("the texts hold more than {DIFFERENT_WORDS_MAX} different words");
        Err(PluginError::invalid_input(message))
    }
}

impl Summary for Documents {
    fn learn(&mut self, column: &ColumnRef<'_>) -> Result<()> {
        let mut words = BTreeSet::new();
        for text in column.texts()?.flatten() {
            self.texts += 1;
            for_each_word(text, self.min_chars, |word| {
                if !words.contains(word) {
                    words.insert(word.to_owned());
                }
            });
            words.iter().for_each(|word| self.holding.add(word.as_bytes()));
            words.clear();
            self.check()?;
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.texts = self.texts.saturating_add(other.texts);
        self.holding.extend(other.holding);
        self.check()
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u64(self.texts);
        self.holding.encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { min_chars: 0, texts: reader.u64()?, holding: Counts::decode(reader)? })
    }
}

/// The words that have a slot, with their weights.
pub struct Vocabulary {
    texts: u64,
    words: Dictionary,
    holding: Vec<u64>,
    idf: Vec<f64>,
}

impl Vocabulary {
    pub fn len(&self) -> usize {
        self.words.len()
    }

    pub fn code(&self, word: &str) -> Option<u32> {
        self.words.code(word.as_bytes())
    }

    pub fn idf(&self, code: u32) -> f64 {
        self.idf[code as usize]
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.u64(self.texts);
        self.words.encode(writer);
        self.holding.iter().for_each(|holding| writer.u64(*holding));
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let (texts, words) = (reader.u64()?, Dictionary::decode(reader)?);
        let holding = (0..words.len()).map(|_| reader.u64()).collect::<Result<Vec<_>>>()?;
        if words.is_empty() || holding.iter().any(|holding| *holding > texts) {
            return Err(PluginError::bad_state("the state holds no words, or ones in more texts than there were"));
        }
        Ok(Self::new(texts, words, holding))
    }

    fn new(texts: u64, words: Dictionary, holding: Vec<u64>) -> Self {
        let idf = |holding: &u64| ((1.0 + texts as f64) / (1.0 + *holding as f64)).ln() + 1.0;
        Self { texts, words, idf: holding.iter().map(idf).collect(), holding }
    }
}
