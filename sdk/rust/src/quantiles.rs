use std::collections::BTreeMap;

use crate::codec::{Reader, Writer};
use crate::{PluginError, Result};

/// Bins of a sketch: as many different values are counted exactly.
pub const BINS_MAX: usize = 100_000;

/// Bits of a number that a bin can leave out: of the 16 that stay, there are fewer than `BINS_MAX`.
const SHIFT_MAX: u8 = 48;

/// How often each number was seen: exactly, or, where there are more than `BINS_MAX` different ones, in bins.
///
/// A bin is a number's sign, exponent and the upper bits of its mantissa, so bins are narrow where numbers are small.
/// Whenever there are too many, neighbours are joined two by two, as in Epicoco, Melle, Cafaro, Pulimeno and Morleo,
/// "UDDSketch: Accurate Tracking of Quantiles in Data Streams" (2020). The width of the final bins, and with it the
/// sketch, depends on the set of numbers alone: not on their order, nor on how they were split up before they were
/// merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// Bits that a bin leaves out.
    shift: u8,
    /// By bits that sort as the numbers do, without those that are left out.
    counts: BTreeMap<u64, u64>,
}

impl Quantiles {
    pub fn add(&mut self, value: f64) {
        *self.counts.entry(sortable(value) >> self.shift).or_default() += 1;
        self.join_if_many();
    }

    pub fn merge(&mut self, mut other: Self) {
        let shift = self.shift.max(other.shift);
        self.widen(shift);
        other.widen(shift);
        for (key, count) in other.counts {
            let total = self.counts.entry(key).or_default();
            *total = total.saturating_add(count);
        }
        self.join_if_many();
    }

    /// The value below which a `share` of the values lies, 0 to 1, on the line between the two nearest ones; none where
    /// there is no value. 0.5 is the median.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let count = self.counts.values().fold(0u64, |sum, count| sum.saturating_add(*count));
        let place = share.clamp(0.0, 1.0) * count.checked_sub(1)? as f64;
        let (low, high) = (self.value_at(place.floor() as u64)?, self.value_at(place.ceil() as u64)?);
        Some(low + (high - low) * place.fract())
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(self.shift);
        writer.u32(self.counts.len() as u32);
        for (key, count) in &self.counts {
            writer.u64(*key);
            writer.u64(*count);
        }
    }

    /// # Errors
    /// When the bytes are not a sketch.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let shift = reader.u8()?;
        if shift > SHIFT_MAX {
            return Err(PluginError::bad_state(format!("no bin of a quantile sketch leaves {shift} bits out")));
        }
        let len = reader.u32()?;
        let counts = (0..len).map(|_| Ok((reader.u64()?, reader.u64()?))).collect::<Result<_>>()?;
        Ok(Self { shift, counts })
    }

    /// The value of this rank, from 0.
    fn value_at(&self, rank: u64) -> Option<f64> {
        let mut before = 0u64;
        let (key, _) = self.counts.iter().find(|(_, count)| {
            before = before.saturating_add(**count);
            before > rank
        })?;
        // A bin stands for its middle.
        let middle = (1u64 << self.shift) >> 1;
        Some(from_sortable(key << self.shift | middle))
    }

    /// Joins neighbours as often as it takes.
    fn join_if_many(&mut self) {
        if self.counts.len() > BINS_MAX {
            let fits = |shift: &u8| self.bins_with(*shift) <= BINS_MAX;
            self.widen((self.shift + 1..SHIFT_MAX).find(fits).unwrap_or(SHIFT_MAX));
        }
    }

    /// How many bins there would be.
    fn bins_with(&self, shift: u8) -> usize {
        let keys = self.counts.keys().map(|key| key >> (shift - self.shift));
        let mut last = None;
        keys.filter(|key| last.replace(*key) != Some(*key)).count()
    }

    fn widen(&mut self, shift: u8) {
        let more = shift - self.shift;
        if more == 0 {
            return;
        }
        self.shift = shift;
        let mut joined: Vec<(u64, u64)> = Vec::with_capacity(self.counts.len());
        for (key, count) in std::mem::take(&mut self.counts) {
            match joined.last_mut() {
                Some((last, total)) if *last == key >> more => *total = total.saturating_add(count),
                _ => joined.push((key >> more, count)),
            }
        }
        self.counts = joined.into_iter().collect();
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

    fn of(values: impl IntoIterator<Item = f64>) -> Quantiles {
        let mut sketch = Quantiles::default();
        values.into_iter().for_each(|value| sketch.add(value));
        sketch
    }

    #[test]
    fn quantiles_of_few_values_are_exact() {
        assert_eq!(of([3.0, -1.0, 2.0]).quantile(0.5), Some(2.0));
        assert_eq!(of([3.0, -1.0, 2.0, -5.0]).quantile(0.5), Some(0.5));
        assert_eq!(of((0..=100).map(f64::from)).quantile(0.25), Some(25.0));
        assert_eq!(of((0..4).map(f64::from)).quantile(0.75), Some(2.25));
        assert_eq!(of([-0.0, 0.0]), of([0.0, 0.0]));
        assert_eq!(of([]).quantile(0.5), None);
    }

    #[test]
    fn many_values_give_near_quantiles_and_the_same_sketch_for_any_split() {
        let values = |range: std::ops::Range<u32>| range.map(|i| f64::from(i) * 1.7 - 50_000.0);
        let whole = of(values(0..300_000));
        for share in [0.1, 0.25, 0.5, 0.9] {
            let exact = 299_999.0 * share * 1.7 - 50_000.0;
            assert!((whole.quantile(share).unwrap() / exact - 1.0).abs() < 1e-4, "{share}");
        }
        for cut in [10, 150_000] {
            let mut parts = of(values(cut..300_000));
            parts.merge(of(values(0..cut)));
            assert_eq!(parts, whole, "{cut}");
        }
    }

    #[test]
    fn values_far_from_zero_keep_their_spread() {
        let sketch = of((0..250_000).map(|i| 1e9 + f64::from(i) / 250_000.0));
        let spread = sketch.quantile(0.75).unwrap() - sketch.quantile(0.25).unwrap();
        assert!((spread - 0.5).abs() < 1e-4, "{spread}");
    }

    #[test]
    fn a_sketch_comes_back_from_its_bytes() {
        let sketch = of((0..150_000).map(|i| f64::from(i).sqrt()));
        let mut writer = Writer::new(1);
        sketch.encode(&mut writer);
        let bytes = writer.finish();
        assert_eq!(Quantiles::decode(&mut Reader::new(&bytes, 1).unwrap()).unwrap(), sketch);
    }
}
