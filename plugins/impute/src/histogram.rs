use std::collections::BTreeMap;

use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{PluginError, Result};

/// Different values that are counted exactly.
pub const EXACT_VALUES_MAX: usize = 100_000;

/// Bits of a float64 that a coarse bin leaves out: of 52 bits of mantissa 10 remain, bins 0.1 % wide.
const COARSE_BITS: u32 = 42;

/// How often each number was seen: exactly, or where there are too many different ones, by logarithmic bins, as in
/// Masson, Rim and Lee, "DDSketch" (2019).
///
/// Both depend on the numbers alone, not on their order nor on how they were split up before they were merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    coarse: bool,
    /// By bits that sort as the numbers do.
    counts: BTreeMap<u64, u64>,
}

impl Histogram {
    pub fn add(&mut self, value: f64) {
        let key = sortable(value);
        *self.counts.entry(if self.coarse { key >> COARSE_BITS } else { key }).or_default() += 1;
        self.coarsen_if_large();
    }

    pub fn merge(&mut self, mut other: Self) {
        if self.coarse != other.coarse {
            self.coarsen();
            other.coarsen();
        }
        for (key, count) in other.counts {
            let total = self.counts.entry(key).or_default();
            *total = total.saturating_add(count);
        }
        self.coarsen_if_large();
    }

    /// The middle value, or the mean of the two; none where there is no value.
    pub fn median(&self) -> Option<f64> {
        let count = self.counts.values().fold(0u64, |sum, count| sum.saturating_add(*count));
        let (low, high) = (self.value_at(count.checked_sub(1)? / 2)?, self.value_at(count / 2)?);
        Some(low + (high - low) / 2.0)
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(self.coarse.into());
        writer.u32(self.counts.len() as u32);
        for (key, count) in &self.counts {
            writer.u64(*key);
            writer.u64(*count);
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let coarse = match reader.u8()? {
            0 => false,
            1 => true,
            other => return Err(PluginError::bad_state(format!("{other} is no kind of histogram"))),
        };
        let len = reader.u32()?;
        let counts = (0..len).map(|_| Ok((reader.u64()?, reader.u64()?))).collect::<Result<_>>()?;
        Ok(Self { coarse, counts })
    }

    /// The value of this rank, from 0.
    fn value_at(&self, rank: u64) -> Option<f64> {
        let mut before = 0u64;
        let (key, _) = self.counts.iter().find(|(_, count)| {
            before = before.saturating_add(**count);
            before > rank
        })?;
        // A bin stands for its middle.
        Some(from_sortable(if self.coarse { key << COARSE_BITS | 1 << (COARSE_BITS - 1) } else { *key }))
    }

    fn coarsen_if_large(&mut self) {
        if !self.coarse && self.counts.len() > EXACT_VALUES_MAX {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        if !std::mem::replace(&mut self.coarse, true) {
            for (key, count) in std::mem::take(&mut self.counts) {
                *self.counts.entry(key >> COARSE_BITS).or_default() += count;
            }
        }
    }
}

/// Bits that sort as the numbers do; -0 counts as 0.
fn sortable(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn from_sortable(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 { key & !(1 << 63) } else { !key })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = f64>) -> Histogram {
        let mut histogram = Histogram::default();
        values.into_iter().for_each(|value| histogram.add(value));
        histogram
    }

    #[test]
    fn the_median_is_exact_for_few_values() {
        assert_eq!(of([3.0, -1.0, 2.0]).median(), Some(2.0));
        assert_eq!(of([3.0, -1.0, 2.0, -5.0]).median(), Some(0.5));
        assert_eq!(of([-0.0, 0.0]), of([0.0, 0.0]));
        assert_eq!(of([]).median(), None);
    }

    #[test]
    fn the_median_of_many_values_is_near_and_independent_of_the_split() {
        let values = |range: std::ops::Range<u32>| range.map(|i| f64::from(i) * 1.7 - 50_000.0);
        let whole = of(values(0..300_000));
        let exact = 149_999.5 * 1.7 - 50_000.0;
        assert!((whole.median().unwrap() / exact - 1.0).abs() < 5e-4);
        for cut in [10, 150_000] {
            let mut parts = of(values(cut..300_000));
            parts.merge(of(values(0..cut)));
            assert_eq!(parts, whole, "{cut}");
        }
    }
}
