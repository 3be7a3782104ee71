//! One line a measure, one column a server, and the ratio between the first and each other.

use std::fmt::Write;

/// One measure of one server.
pub struct Figure {
    label: String,
    unit: &'static str,
    value: f64,
    /// Whether more is better.
    is_rate: bool,
    target: Option<Target>,
}

/// What the first server is to reach.
#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// So many times better than each of MLflow's.
    Times(f64),
}

impl Figure {
    /// A measure of which less is better.
    pub fn least(label: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self { label: label.into(), unit, value, is_rate: false, target: None }
    }

    /// A measure of which more is better.
    pub fn rate(label: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self { label: label.into(), unit, value, is_rate: true, target: None }
    }

    /// The sample below which `percent` of the others lie, by nearest rank.
    pub fn percentile(label: impl Into<String>, samples_ms: &mut [f64], percent: f64) -> Self {
        samples_ms.sort_by(f64::total_cmp);
        let rank = (percent / 100.0 * samples_ms.len() as f64).ceil() as usize;
        let value = samples_ms.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN);
        Self::least(label, "ms", value)
    }

    pub fn at_most(self, most: f64) -> Self {
        Self { target: Some(Target::AtMost(most)), ..self }
    }

    pub fn at_least(self, least: f64) -> Self {
        Self { target: Some(Target::AtLeast(least)), ..self }
    }

    pub fn times(self, times: f64) -> Self {
        Self { target: Some(Target::Times(times)), ..self }
    }

    /// How many times better this is than `other`.
    fn ratio(&self, other: &Figure) -> f64 {
        if self.is_rate { self.value / other.value } else { other.value / self.value }
    }

    /// The target, and whether it is reached; `ratios` are those to MLflow's servers.
    fn judged(&self, ratios: &[f64]) -> String {
        let (target, reached) = match self.target {
            None => return String::new(),
            Some(Target::AtMost(most)) => (format!("<= {most}"), self.value <= most),
            Some(Target::AtLeast(least)) => (format!(">= {least}"), self.value >= least),
            Some(Target::Times(times)) if ratios.is_empty() => return format!(">= {times}x ?"),
            Some(Target::Times(times)) => (format!(">= {times}x"), ratios.iter().all(|ratio| *ratio >= times)),
        };
        format!("{target} {}", if reached { "ok" } else { "MISSED" })
    }
}

#[derive(Default)]
pub struct Table {
    columns: Vec<(&'static str, Vec<Figure>)>,
}

impl Table {
    pub fn add(&mut self, server: &'static str, figures: Vec<Figure>) {
        self.columns.push((server, figures));
    }

    pub fn text(&self) -> String {
        let Some(((first, figures), others)) = self.columns.split_first() else {
            return String::new();
        };
        let width = figures.iter().map(|figure| figure.label.len()).max().unwrap_or(0);
        let mut text = format!("{:width$}  {first:>16}  {:>18}", "", "target");
        others.iter().for_each(|(server, _)| _ = write!(text, "  {server:>18}  {:>8}", "ratio"));
        text.push('\n');
        for figure in figures {
            let theirs: Vec<_> = others
                .iter()
                .map(|(server, theirs)| (server, theirs.iter().find(|other| other.label == figure.label)))
                .collect();
            let of_mlflow = theirs.iter().filter(|(server, _)| server.starts_with("mlflow"));
            let ratios: Vec<f64> = of_mlflow.filter_map(|(_, other)| other.map(|other| figure.ratio(other))).collect();
            _ = write!(text, "{:width$}  {:>16}  {:>18}", figure.label, shown(figure), figure.judged(&ratios));
            for (_, other) in theirs {
                match other {
                    Some(other) => _ = write!(text, "  {:>18}  {:>7.1}x", shown(other), figure.ratio(other)),
                    None => _ = write!(text, "  {:>18}  {:>8}", "-", "-"),
                }
            }
            text.push('\n');
        }
        text
    }
}

fn shown(figure: &Figure) -> String {
    format!("{:.*} {}", if figure.value < 100.0 { 2 } else { 0 }, figure.value, figure.unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_over_one_means_that_the_first_is_better() {
        let mut table = Table::default();
        table.add("ours", vec![Figure::least("wait", "ms", 2.0), Figure::rate("speed", "/s", 500.0)]);
        table.add("theirs", vec![Figure::rate("speed", "/s", 50.0), Figure::least("wait", "ms", 20.0)]);
        let text = table.text();
        assert_eq!(text.matches("10.0x").count(), 2, "{text}");
    }

    #[test]
    fn a_target_is_reached_or_missed() {
        let wait = |value| Figure::least("wait", "ms", value);
        assert_eq!(wait(2.0).at_most(2.0).judged(&[]), "<= 2 ok");
        assert_eq!(wait(2.0).at_least(3.0).judged(&[]), ">= 3 MISSED");
        assert_eq!(wait(2.0).times(30.0).judged(&[]), ">= 30x ?");
        assert_eq!(wait(2.0).times(30.0).judged(&[31.0, 29.0]), ">= 30x MISSED");
    }

    #[test]
    fn a_percentile_is_a_sample() {
        let mut samples: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(Figure::percentile("a", &mut samples, 99.0).value, 198.0);
    }
}
