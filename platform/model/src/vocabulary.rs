use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, UInt64Type};
use serde::{Deserialize, Serialize};
use tiegel_engine::ModelError;

use crate::error::{Result, invalid};

/// Distinct values of one categorical column. The gradient of an embedding is as long as its table, at every step.
const VOCABULARY_VALUES_MAX: usize = 100_000;
/// The index of null and of every value that training did not see.
pub(crate) const UNKNOWN: u32 = 0;

/// The values that a categorical column had when the model was fitted, sorted. Value `i` has index `i + 1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "values", rename_all = "snake_case")]
pub(crate) enum Values {
    Text(Vec<String>),
    /// uint64 values keep their bits, so those over 2^63 - 1 are negative here.
    Integer(Vec<i64>),
}

impl Values {
    /// Rows of the embedding table: one a value, and one for what is unknown.
    pub(crate) fn table_len(&self) -> usize {
        1 + match self {
            Values::Text(values) => values.len(),
            Values::Integer(values) => values.len(),
        }
    }
}

/// A categorical column of one batch.
pub(crate) enum Keys {
    Text(StringArray),
    Integer(Int64Array),
}

impl Keys {
    /// `array` is utf8 or of any integer type.
    pub(crate) fn new(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 => Keys::Text(array.as_string::<i32>().clone()),
            DataType::Int64 => Keys::Integer(array.as_primitive::<Int64Type>().clone()),
            DataType::UInt64 => Keys::Integer(array.as_primitive::<UInt64Type>().unary::<_, Int64Type>(|v| v as i64)),
            _ => {
                let wide = cast(array, &DataType::Int64).map_err(|e| ModelError::Internal(e.to_string()))?;
                Keys::Integer(wide.as_primitive::<Int64Type>().clone())
            }
        })
    }
}

/// Finds the index of a value.
pub(crate) enum Vocabulary {
    Text(HashMap<String, u32>),
    Integer(HashMap<i64, u32>),
}

impl Vocabulary {
    pub(crate) fn new(values: &Values) -> Self {
        match values {
            Values::Text(values) => Self::Text(values.iter().cloned().zip(UNKNOWN + 1..).collect()),
            Values::Integer(values) => Self::Integer(values.iter().copied().zip(UNKNOWN + 1..).collect()),
        }
    }

    pub(crate) fn index(&self, keys: &Keys, row: usize) -> u32 {
        let index = match (self, keys) {
            (Self::Text(index), Keys::Text(keys)) if keys.is_valid(row) => index.get(keys.value(row)),
            (Self::Integer(index), Keys::Integer(keys)) if keys.is_valid(row) => index.get(&keys.value(row)),
            _ => None,
        };
        index.copied().unwrap_or(UNKNOWN)
    }
}

/// Collects the values of one column.
pub(crate) enum VocabularyBuilder {
    Text(HashSet<String>),
    Integer(HashSet<i64>),
}

impl VocabularyBuilder {
    pub(crate) fn new(is_text: bool) -> Self {
        if is_text { Self::Text(HashSet::new()) } else { Self::Integer(HashSet::new()) }
    }

    pub(crate) fn add(&mut self, keys: &Keys, column: &str) -> Result<()> {
        let len = match (&mut *self, keys) {
            (Self::Text(seen), Keys::Text(keys)) => {
                for value in keys.iter().flatten() {
                    if !seen.contains(value) {
                        seen.insert(value.to_owned());
                    }
                }
                seen.len()
            }
            (Self::Integer(seen), Keys::Integer(keys)) => {
                seen.extend(keys.iter().flatten());
                seen.len()
            }
            _ => return Err(ModelError::Internal(format!("column '{column}' changed its type between batches"))),
        };
        if len > VOCABULARY_VALUES_MAX {
            return Err(invalid(format!(
                "column '{column}' has over {VOCABULARY_VALUES_MAX} values, too many for an embedding: group rare values in SQL, \
                 or leave the column out"
            )));
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Values {
        match self {
            Self::Text(seen) => {
                let mut values: Vec<_> = seen.into_iter().collect();
                values.sort_unstable();
                Values::Text(values)
            }
            Self::Integer(seen) => {
                let mut values: Vec<_> = seen.into_iter().collect();
                values.sort_unstable();
                Values::Integer(values)
            }
        }
    }
}
