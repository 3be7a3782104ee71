//! What is kept of a column's values.

use std::borrow::Borrow;

use tiegel_types::TopValue;

use super::sketch::{Distinct, Frequent, Hashed, Sample};

/// Bins of a histogram.
const BINS: usize = 20;
const QUANTILES: [f64; 7] = [0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99];
const TOP_MAX: usize = 10;

/// Extremes, distinct values and frequent values.
pub(super) struct Measured<K> {
    min: Option<K>,
    max: Option<K>,
    distinct: Distinct,
    pub(super) top: Frequent<K>,
}

impl<K> Default for Measured<K> {
    fn default() -> Self {
        Self { min: None, max: None, distinct: Distinct::default(), top: Frequent::default() }
    }
}

#[derive(Default)]
pub(super) struct Values {
    pub min: Option<String>,
    pub max: Option<String>,
    pub distinct: u64,
    pub top: Vec<TopValue>,
}

impl<K: Clone + PartialOrd> Measured<K> {
    pub(super) fn see<Q>(&mut self, value: &Q)
    where
        K: Borrow<Q> + Ord + std::hash::Hash,
        Q: Hashed + Ord + std::hash::Hash + ToOwned<Owned = K> + ?Sized,
    {
        if self.min.as_ref().is_none_or(|min| value < min.borrow()) {
            self.min = Some(value.to_owned());
        }
        if self.max.as_ref().is_none_or(|max| value > max.borrow()) {
            self.max = Some(value.to_owned());
        }
        self.distinct.see(value.hashed());
        self.top.see(value);
    }

    /// Without the frequent values, which mean little for floats. NaN is neither the least nor the greatest.
    pub(super) fn see_uncounted(&mut self, value: &K)
    where
        K: Hashed,
    {
        // NaN differs from itself.
        if value.partial_cmp(value).is_some() {
            if self.min.as_ref().is_none_or(|min| value < min) {
                self.min = Some(value.clone());
            }
            if self.max.as_ref().is_none_or(|max| value > max) {
                self.max = Some(value.clone());
            }
        }
        self.distinct.see(value.hashed());
    }

    pub(super) fn finish(self, text: impl Fn(K) -> String) -> Values {
        let top =
            self.top.most_frequent(TOP_MAX).into_iter().map(|(value, rows)| TopValue { value: text(value), rows });
        Values {
            distinct: self.distinct.estimate(),
            top: top.collect(),
            min: self.min.map(&text),
            max: self.max.map(&text),
        }
    }
}

/// Mean, quantiles and histogram of the finite values.
pub(super) struct Numbers {
    count: u64,
    sum: f64,
    /// What the sum lost to rounding.
    compensation: f64,
    min: f64,
    max: f64,
    sample: Sample,
    bins: Vec<u64>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            count: 0,
            sum: 0.0,
            compensation: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            sample: Sample::default(),
            bins: vec![0; BINS],
        }
    }
}

impl Numbers {
    pub(super) fn see(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        self.count += 1;
        // Neumaier's compensated sum (1974).
        let sum = self.sum + value;
        self.compensation +=
            if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        self.sum = sum;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sample.see(value);
    }

    /// Counts a value of the second pass. The last bin holds the greatest value.
    pub(super) fn bin(&mut self, value: f64) {
        if value.is_finite() {
            let share = (value - self.min) / (self.max - self.min);
            // Where all values are alike the share is NaN, which becomes bin 0.
            let bin = (share * BINS as f64) as usize;
            self.bins[bin.min(BINS - 1)] += 1;
        }
    }

    /// Mean, quantiles and bins; nothing where there was no finite value.
    pub(super) fn finish(self) -> (Option<f64>, Vec<f64>, Vec<u64>) {
        if self.count == 0 {
            return (None, Vec::new(), Vec::new());
        }
        let mean = (self.sum + self.compensation) / self.count as f64;
        (Some(mean), self.sample.quantiles(&QUANTILES), self.bins)
    }
}
