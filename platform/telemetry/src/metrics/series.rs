use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::family::{Family, MetricConstructor};

/// Series of one metric. Over it, new ones are counted together under `other`: a label must not grow with its input.
pub(crate) const SERIES_MAX: usize = 1_000;

pub(crate) type Labels = Vec<(&'static str, String)>;

/// The series of one metric, by label values.
#[derive(Debug)]
pub(crate) struct Series<M, C = fn() -> M> {
    keys: &'static [&'static str],
    pub(crate) family: Family<Labels, M, C>,
    seen: Mutex<HashSet<Labels>>,
}

impl<M: Clone, C: MetricConstructor<M>> Series<M, C> {
    pub(crate) fn new(keys: &'static [&'static str], constructor: C) -> Self {
        Self { keys, family: Family::new_with_constructor(constructor), seen: Mutex::default() }
    }

    /// The series with these label values, in the order of the metric's keys.
    pub(crate) fn with(&self, values: &[&str]) -> M {
        debug_assert_eq!(values.len(), self.keys.len(), "one value for each of {:?}", self.keys);
        let labels: Labels = self.keys.iter().copied().zip(values.iter().map(|value| (*value).to_owned())).collect();
        self.family.get_or_create(&self.bounded(labels)).clone()
    }

    fn bounded(&self, labels: Labels) -> Labels {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&labels) {
            return labels;
        }
        if seen.len() < SERIES_MAX {
            seen.insert(labels.clone());
            return labels;
        }
        labels.into_iter().map(|(key, _)| (key, "other".to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;

    #[test]
    fn a_label_with_endless_values_does_not_grow_without_end() {
        let series: Series<Counter> = Series::new(&["route"], Counter::default as fn() -> Counter);
        for i in 0..SERIES_MAX + 5 {
            series.with(&[&format!("/{i}")]).inc();
        }
        series.with(&["/0"]).inc();
        assert_eq!(series.with(&["other"]).get(), 5);
        assert_eq!(series.with(&["/0"]).get(), 2);
    }
}
