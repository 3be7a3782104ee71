//! Small summaries of many values. All are seeded by constants: the same values in the same order give the same answer.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Values counted exactly before a summary takes over.
const EXACT_MAX: usize = 8_192;
/// Values that quantiles are taken from; up to so many rows they are exact, beyond it within about 0.5 % of the rank.
const SAMPLE_MAX: usize = 65_536;
/// Bits that choose a HyperLogLog register: 16,384 registers, a standard error of 0.8 %.
const REGISTER_BITS: u32 = 14;

/// A value's 64 well-mixed bits, the same on every machine.
pub(super) trait Hashed {
    fn hashed(&self) -> u64;
}

impl Hashed for i128 {
    fn hashed(&self) -> u64 {
        mix(*self as u64 ^ mix((*self >> 64) as u64))
    }
}

impl Hashed for f64 {
    fn hashed(&self) -> u64 {
        mix(self.to_bits())
    }
}

impl Hashed for str {
    fn hashed(&self) -> u64 {
        let mut hash = mix(self.len() as u64);
        for chunk in self.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = mix(hash ^ u64::from_le_bytes(word));
        }
        hash
    }
}

/// The output function of SplitMix64 (Steele, Lea and Flood 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// How many different values there were: exact while few, HyperLogLog (Flajolet and others 2007) after.
pub(super) struct Distinct {
    few: Option<HashSet<u64>>,
    registers: Vec<u8>,
}

impl Default for Distinct {
    fn default() -> Self {
        Self { few: Some(HashSet::new()), registers: Vec::new() }
    }
}

impl Distinct {
    pub(super) fn see(&mut self, hash: u64) {
        let Some(few) = &mut self.few else { return self.register(hash) };
        few.insert(hash);
        if few.len() > EXACT_MAX {
            self.registers = vec![0; 1 << REGISTER_BITS];
            for hash in self.few.take().unwrap_or_default() {
                self.register(hash);
            }
        }
    }

    pub(super) fn estimate(&self) -> u64 {
        if let Some(few) = &self.few {
            return few.len() as u64;
        }
        let m = self.registers.len() as f64;
        let alpha = 0.7213 / (1.0 + 1.079 / m);
        let raw = alpha * m * m / self.registers.iter().map(|&rank| (-f64::from(rank)).exp2()).sum::<f64>();
        let empty = self.registers.iter().filter(|&&rank| rank == 0).count();
        let estimate = if raw <= 2.5 * m && empty > 0 { m * (m / empty as f64).ln() } else { raw };
        estimate.round() as u64
    }

    fn register(&mut self, hash: u64) {
        let index = (hash >> (64 - REGISTER_BITS)) as usize;
        let rank = (hash << REGISTER_BITS | 1 << (REGISTER_BITS - 1)).leading_zeros() as u8 + 1;
        self.registers[index] = self.registers[index].max(rank);
    }
}

/// The most frequent values, by Misra and Gries (1982): any value in more than one row of `EXACT_MAX` is a candidate
/// after the first pass; a second pass counts the candidates exactly.
pub(super) struct Frequent<K> {
    rows: HashMap<K, u64>,
    exact: bool,
}

impl<K> Default for Frequent<K> {
    fn default() -> Self {
        Self { rows: HashMap::new(), exact: true }
    }
}

impl<K> Frequent<K> {
    pub(super) fn see<Q>(&mut self, value: &Q)
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(rows) = self.rows.get_mut(value) {
            *rows += 1;
        } else if self.rows.len() < EXACT_MAX {
            self.rows.insert(value.to_owned(), 1);
        } else {
            self.exact = false;
            self.rows.retain(|_, rows| {
                *rows -= 1;
                *rows > 0
            });
        }
    }

    /// Whether the counts are those of candidates only, so that a second pass has to count them.
    pub(super) fn recounts(&self) -> bool {
        !self.exact
    }

    pub(super) fn start_recount(&mut self) {
        if !self.exact {
            self.rows.values_mut().for_each(|rows| *rows = 0);
        }
    }

    pub(super) fn recount<Q>(&mut self, value: &Q)
    where
        K: Borrow<Q> + Hash + Eq,
        Q: Hash + Eq + ?Sized,
    {
        if !self.exact
            && let Some(rows) = self.rows.get_mut(value)
        {
            *rows += 1;
        }
    }

    /// The most frequent first, the lesser value first among equals.
    pub(super) fn most_frequent(self, most: usize) -> Vec<(K, u64)>
    where
        K: PartialOrd,
    {
        let mut values: Vec<(K, u64)> = self.rows.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.partial_cmp(&b.0).unwrap_or(std::cmp::Ordering::Equal)));
        values.truncate(most);
        values
    }
}

/// A uniform sample, by Vitter's algorithm R (1985).
#[derive(Default)]
pub(super) struct Sample {
    values: Vec<f64>,
    seen: u64,
}

impl Sample {
    pub(super) fn see(&mut self, value: f64) {
        if self.values.len() < SAMPLE_MAX {
            self.values.push(value);
        } else {
            let draw = (u128::from(mix(self.seen)) * u128::from(self.seen + 1)) >> 64;
            if let Some(replaced) = self.values.get_mut(draw as usize) {
                *replaced = value;
            }
        }
        self.seen += 1;
    }

    /// Linear interpolation between the two nearest ranks.
    pub(super) fn quantiles(mut self, at: &[f64]) -> Vec<f64> {
        self.values.sort_by(f64::total_cmp);
        let last = self.values.len() - 1;
        let value = |share: &f64| {
            let rank = share * last as f64;
            let (low, high) = (self.values[rank.floor() as usize], self.values[rank.ceil() as usize]);
            low + (high - low) * rank.fract()
        };
        at.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_values_are_exact_while_few_and_within_two_percent_after() {
        for (values, tolerance) in [(0u64, 0.0), (5_000, 0.0), (20_000, 0.02), (300_000, 0.02), (2_000_000, 0.02)] {
            let mut distinct = Distinct::default();
            for value in 0..values {
                distinct.see(i128::from(value).hashed());
                distinct.see(i128::from(value / 2).hashed());
            }
            let error = (distinct.estimate() as f64 - values as f64).abs();
            assert!(error <= tolerance * values as f64, "{values}: {}", distinct.estimate());
        }
    }

    #[test]
    fn a_frequent_value_survives_a_flood_of_rare_ones_and_is_recounted() {
        let rows = |row: i128| if row % 100 == 0 { -1 } else { row };
        let mut frequent = Frequent::default();
        (0..200_000).for_each(|row| frequent.see(&rows(row)));
        assert!(frequent.recounts());
        frequent.start_recount();
        (0..200_000).for_each(|row| frequent.recount(&rows(row)));
        assert_eq!(frequent.most_frequent(1), [(-1, 2_000)]);
    }

    #[test]
    fn quantiles_are_exact_for_few_rows_and_close_for_many() {
        let mut few = Sample::default();
        (0..=100).rev().for_each(|value| few.see(f64::from(value)));
        assert_eq!(few.quantiles(&[0.0, 0.255, 0.5, 1.0]), [0.0, 25.5, 50.0, 100.0]);
        let mut many = Sample::default();
        (0..1_000_000).for_each(|value| many.see(f64::from(value)));
        let median = many.quantiles(&[0.5])[0];
        assert!((median - 500_000.0).abs() < 10_000.0, "{median}");
    }
}
