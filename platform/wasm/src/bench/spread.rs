use std::time::Duration;

/// How long many calls took: the least, the median, and how bad the worst of ten, of a hundred and of a thousand were.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread {
    pub least: Duration,
    pub p50: Duration,
    pub p90: Duration,
    pub p99: Duration,
    pub p999: Duration,
}

impl Spread {
    /// Zero where there was no call.
    pub fn of(mut took: Vec<Duration>) -> Self {
        took.sort_unstable();
        let at = |share: f64| {
            let index = (took.len() as f64 * share).ceil() as usize;
            took.get(index.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { least: at(0.0), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_counts_from_the_least() {
        let spread = Spread::of((1..=1_000).rev().map(Duration::from_micros).collect());
        let micros = [spread.least, spread.p50, spread.p90, spread.p99, spread.p999].map(|d| d.as_micros());
        assert_eq!(micros, [1, 500, 900, 990, 999]);
        assert_eq!(Spread::of(vec![]).p99, Duration::ZERO);
    }
}
