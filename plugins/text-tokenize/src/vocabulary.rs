use std::collections::HashMap;

use tiegel_plugin::{PluginError, Result};

/// Characters of a word, at most: longer ones are no words.
const WORD_CHARS_MAX: usize = 100;

/// Before the pieces that go on within a word.
const CONTINUED: &str = "##";

/// Tokens and their numbers.
pub struct Vocabulary {
    /// Pieces that begin a word.
    first: HashMap<String, i32>,
    /// Pieces that go on within one, without `##`.
    continued: HashMap<String, i32>,
    pub cls: i32,
    pub sep: i32,
    pub pad: i32,
    unknown: i32,
    piece_bytes_max: usize,
}

impl Vocabulary {
    /// One token a line; of equal lines the first counts.
    ///
    /// # Errors
    /// When the file is not UTF-8, or lacks a special token.
    pub fn parse(file: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(file).map_err(|error| {
            PluginError::invalid_config(format!("vocab.txt is not UTF-8 from byte {}", error.valid_up_to()))
        })?;
        let (mut first, mut continued) = (HashMap::new(), HashMap::new());
        let mut piece_bytes_max = 0;
        for (token, id) in text.lines().zip(0i32..) {
            let (pieces, piece) = match token.strip_prefix(CONTINUED) {
                Some(piece) if !piece.is_empty() => (&mut continued, piece),
                _ => (&mut first, token),
            };
            piece_bytes_max = piece_bytes_max.max(piece.len());
            pieces.entry(piece.to_owned()).or_insert(id);
        }
        let special = |token: &str| {
            let lacking = || PluginError::invalid_config(format!("vocab.txt lacks the token {token}"));
            first.get(token).copied().ok_or_else(lacking)
        };
        let (cls, sep, pad, unknown) = (special("[CLS]")?, special("[SEP]")?, special("[PAD]")?, special("[UNK]")?);
        Ok(Self { first, continued, cls, sep, pad, unknown, piece_bytes_max })
    }

    /// Adds the pieces of a word: always the longest one that fits.
    pub fn cut(&self, word: &str, ids: &mut Vec<i32>) {
        let before = ids.len();
        let mut rest = word;
        while !rest.is_empty() {
            let pieces = if rest.len() == word.len() { &self.first } else { &self.continued };
            let mut ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).collect::<Vec<_>>();
            if rest.len() == word.len() && ends.len() > WORD_CHARS_MAX {
                ids.push(self.unknown);
                return;
            }
            ends.retain(|end| *end <= self.piece_bytes_max);
            let Some((end, id)) = ends.iter().rev().find_map(|end| Some((*end, *pieces.get(&rest[..*end])?))) else {
                ids.truncate(before);
                ids.push(self.unknown);
                return;
            };
            ids.push(id);
            rest = &rest[end..];
        }
    }
}
