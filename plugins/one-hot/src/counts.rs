use std::collections::BTreeMap;

use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{ColumnRef, DType, PluginError, Result};

use crate::Config;

/// Of the bytes of a partial.
const VERSION: u8 = 1;

/// Different values of one column: more are not categories but identifiers.
const VALUES_MAX: usize = 100_000;

/// How often each value of a column was seen. A value is bytes that sort as it does.
#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<Vec<u8>, u64>);

impl Counts {
    pub fn learn(&mut self, column: &ColumnRef<'_>) -> Result<()> {
        for_each_value(column, |_, value| {
            let Some(value) = value else { return };
            match self.0.get_mut(value) {
                Some(count) => *count += 1,
                None => _ = self.0.insert(value.to_vec(), 1),
            }
        })?;
        self.check(column.name())
    }

    pub fn merge(&mut self, other: Self, column: &str) -> Result<()> {
        for (value, count) in other.0 {
            let total = self.0.entry(value).or_default();
            *total = total.saturating_add(count);
        }
        self.check(column)
    }

    /// The values that get a slot, in ascending order.
    pub fn most_frequent(&self, config: &Config) -> Vec<Vec<u8>> {
        let mut kept: Vec<_> = self.0.iter().filter(|(_, count)| **count >= config.min_count).collect();
        // Stable: of equally frequent values the smaller stays first.
        kept.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        kept.truncate(config.max_categories as usize);
        let mut values: Vec<_> = kept.into_iter().map(|(value, _)| value.clone()).collect();
        values.sort();
        values
    }

    fn check(&self, column: &str) -> Result<()> {
        if self.0.len() <= VALUES_MAX {
            return Ok(());
        }
        let message = format!("the column has more than {VALUES_MAX} different values, too many for categories");
        Err(PluginError::invalid_input(message).column(column))
    }
}

/// Calls `each` with every row's number and value, as bytes that sort as the value does; none for a null.
pub fn for_each_value(column: &ColumnRef<'_>, mut each: impl FnMut(usize, Option<&[u8]>)) -> Result<()> {
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

pub fn encode(columns: &[Counts]) -> Vec<u8> {
    let mut writer = Writer::new(VERSION);
    for Counts(values) in columns {
        writer.u32(values.len() as u32);
        for (value, count) in values {
            writer.bytes(value);
            writer.u64(*count);
        }
    }
    writer.finish()
}

pub fn decode(bytes: &[u8], columns: usize) -> Result<Vec<Counts>> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let mut all = Vec::with_capacity(columns);
    for _ in 0..columns {
        let mut counts = BTreeMap::new();
        for _ in 0..reader.u32()? {
            counts.insert(reader.bytes()?.to_vec(), reader.u64()?);
        }
        all.push(Counts(counts));
    }
    reader.finish()?;
    Ok(all)
}
