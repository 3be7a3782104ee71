//! Columns of categories: texts, whole numbers and booleans as keys, how often each occurs, and codes for them.

use std::collections::{BTreeMap, HashMap};

use crate::codec::{Reader, Writer};
use crate::per_column::Summary;
use crate::{ColumnRef, DType, PluginError, Result};

/// Different values of one column: more are not categories but identifiers.
pub const VALUES_MAX: usize = 100_000;

/// Calls `each` with every row's number and value, as bytes that sort as the value does; none for a null.
///
/// # Errors
/// When the column holds no categories.
pub fn for_each_key(column: &ColumnRef<'_>, mut each: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
    macro_rules! integers {
        ($number:ty, $flip:expr) => {{
            for (row, value) in column.options::<$number>()?.enumerate() {
                // Two's complement sorts negative numbers last; flipping the sign bit puts them first.
                each(row, value.map(|value| ((value as u64) ^ $flip).to_be_bytes()).as_ref().map(|b| b.as_slice()));
            }
        }};
    }
    const SIGN: u64 = 1 << 63;
    match column.dtype() {
        DType::Int8 => integers!(i8, SIGN),
        DType::Int16 => integers!(i16, SIGN),
        DType::Int32 => integers!(i32, SIGN),
        DType::Int64 => integers!(i64, SIGN),
        DType::Uint8 => integers!(u8, 0),
        DType::Uint16 => integers!(u16, 0),
        DType::Uint32 => integers!(u32, 0),
        DType::Uint64 => integers!(u64, 0),
        DType::Boolean => {
            for (row, value) in column.booleans()?.enumerate() {
                each(row, value.map(|value| [u8::from(value)]).as_ref().map(|b| b.as_slice()));
            }
        }
        _ => column.binaries()?.enumerate().for_each(|(row, value)| each(row, value)),
    }
    Ok(())
}

/// How often each key was seen: the same for any order and any partition of the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<Vec<u8>, u64>);

impl Counts {
    pub fn add(&mut self, key: &[u8]) {
        match self.0.get_mut(key) {
            Some(count) => *count += 1,
            None => _ = self.0.insert(key.to_vec(), 1),
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, key: &[u8]) -> u64 {
        self.0.get(key).copied().unwrap_or_default()
    }

    /// In ascending order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.0.iter().map(|(key, count)| (key.as_slice(), *count))
    }

    /// The keys that occur `min_count` times or more, at most `max` of them, the most frequent first; of equally
    /// frequent ones the smaller first.
    pub fn most_frequent(&self, min_count: u64, max: usize) -> Vec<Vec<u8>> {
        let mut kept: Vec<_> = self.0.iter().filter(|(_, count)| **count >= min_count).collect();
        // Stable: of equally frequent keys the smaller stays first.
        kept.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        kept.truncate(max);
        kept.into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// Adds what another count has seen.
    pub fn extend(&mut self, other: Self) {
        for (key, count) in other.0 {
            let total = self.0.entry(key).or_default();
            *total = total.saturating_add(count);
        }
    }

    /// # Errors
    /// When there are more than `VALUES_MAX` keys.
    pub fn check(&self) -> Result<()> {
        if self.0.len() <= VALUES_MAX {
            return Ok(());
        }
        let message = format!("the column has more than {VALUES_MAX} different values, too many for categories");
        Err(PluginError::invalid_input(message))
    }
}

impl Summary for Counts {
    fn learn(&mut self, column: &ColumnRef<'_>) -> Result<()> {
        for_each_key(column, |_, key| key.into_iter().for_each(|key| self.add(key)))?;
        self.check()
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        self.extend(other);
        self.check()
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u32(self.0.len() as u32);
        for (key, count) in &self.0 {
            writer.bytes(key);
            writer.u64(*count);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let len = reader.u32()?;
        (0..len).map(|_| Ok((reader.bytes()?.to_vec(), reader.u64()?))).collect::<Result<_>>().map(Self)
    }
}

/// Keys and their codes, 0, 1, 2 and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dictionary {
    keys: Vec<Vec<u8>>,
    codes: HashMap<Vec<u8>, u32>,
}

impl Dictionary {
    /// The position of a key is its code.
    pub fn new(keys: Vec<Vec<u8>>) -> Self {
        let codes = keys.iter().cloned().zip(0..).collect();
        Self { keys, codes }
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn code(&self, key: &[u8]) -> Option<u32> {
        self.codes.get(key).copied()
    }

    pub fn keys(&self) -> &[Vec<u8>] {
        &self.keys
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.u32(self.keys.len() as u32);
        self.keys.iter().for_each(|key| writer.bytes(key));
    }

    /// # Errors
    /// When a key comes twice, or the bytes end early.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let len = reader.u32()?;
        let keys = (0..len).map(|_| reader.bytes().map(<[u8]>::to_vec)).collect::<Result<Vec<_>>>()?;
        let dictionary = Self::new(keys);
        if dictionary.codes.len() == dictionary.keys.len() {
            return Ok(dictionary);
        }
        Err(PluginError::bad_state("a category of the state comes twice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Batch;

    #[test]
    fn keys_sort_as_their_values_do() {
        let batch = Batch::builder().int32("n", [Some(3), Some(-3), None, Some(0)]).build().unwrap();
        let mut counts = Counts::default();
        counts.learn(&batch.column(0)).unwrap();
        let mut keys = Vec::new();
        for_each_key(&batch.column(0), |_, key| keys.extend(key.map(<[u8]>::to_vec))).unwrap();
        let sorted: Vec<_> = counts.iter().map(|(key, _)| key.to_vec()).collect();
        assert_eq!(sorted, [keys[1].clone(), keys[2].clone(), keys[0].clone()]);
    }

    #[test]
    fn the_most_frequent_come_first_and_of_equals_the_smaller() {
        let mut counts = Counts::default();
        [b"d", b"c", b"c", b"b", b"a", b"b"].into_iter().for_each(|key| counts.add(key));
        assert_eq!(counts.most_frequent(1, 3), [b"b".to_vec(), b"c".to_vec(), b"a".to_vec()]);
        assert_eq!(counts.most_frequent(2, 9).len(), 2);
    }

    #[test]
    fn a_dictionary_comes_back_and_doubles_are_refused() {
        let write = |dictionary: &Dictionary| {
            let mut writer = Writer::new(1);
            dictionary.encode(&mut writer);
            writer.finish()
        };
        let dictionary = Dictionary::new(vec![b"b".to_vec(), b"a".to_vec()]);
        let bytes = write(&dictionary);
        assert_eq!(Dictionary::decode(&mut Reader::new(&bytes, 1).unwrap()).unwrap(), dictionary);
        let bytes = write(&Dictionary::new(vec![b"a".to_vec(), b"a".to_vec()]));
        assert!(Dictionary::decode(&mut Reader::new(&bytes, 1).unwrap()).is_err());
    }
}
