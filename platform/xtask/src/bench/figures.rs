//! Samples of one measure, and their table.

use std::fmt::Write;

/// Samples of one measure in one unit.
pub struct Figures {
    label: String,
    unit: &'static str,
    sorted: Vec<f64>,
}

impl Figures {
    pub fn new(label: impl Into<String>, unit: &'static str, mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self { label: label.into(), unit, sorted: samples }
    }

    /// The sample below which `percent` of the others lie, by nearest rank; NaN without samples.
    fn percentile(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.sorted.len() as f64).ceil() as usize;
        self.sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

pub fn table(rows: &[Figures]) -> String {
    let width = rows.iter().map(|row| row.label.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  {:>8}  {:>10}  {:>10}  {:>10}\n", "", "samples", "min", "median", "p99");
    for row in rows {
        let [min, median, p99] = [0.0, 50.0, 99.0].map(|p| format!("{:.2} {}", row.percentile(p), row.unit));
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{:width$}  {:>8}  {min:>10}  {median:>10}  {p99:>10}", row.label, row.sorted.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let figures = Figures::new("a", "ms", (1..=200).rev().map(f64::from).collect());
        assert_eq!([0.0, 50.0, 99.0].map(|p| figures.percentile(p)), [1.0, 100.0, 198.0]);
    }

    #[test]
    fn the_table_has_one_line_for_each_measure() {
        let text = table(&[Figures::new("ready", "ms", vec![3.0, 1.0, 2.0])]);
        let words: Vec<&str> = text.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(words, ["ready", "3", "1.00", "ms", "2.00", "ms", "3.00", "ms"]);
    }
}
