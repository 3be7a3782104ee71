use serde::{Deserialize, Serialize};

/// Points of a metric in columns of equal length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Points {
    pub timestamps_ms: Vec<i64>,
    pub steps: Vec<i64>,
    /// None is NaN, which JSON does not know.
    pub values: Vec<Option<f64>>,
}

impl Points {
    pub fn push(&mut self, timestamp_ms: i64, step: i64, value: f64) {
        self.timestamps_ms.push(timestamp_ms);
        self.steps.push(step);
        self.values.push((!value.is_nan()).then_some(value));
    }

    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether the columns are equally long.
    pub fn is_even(&self) -> bool {
        self.timestamps_ms.len() == self.values.len() && self.steps.len() == self.values.len()
    }

    /// Time, step and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64, f64)> {
        let times = self.timestamps_ms.iter().zip(&self.steps);
        times.zip(&self.values).map(|((time, step), value)| (*time, *step, value.unwrap_or(f64::NAN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_survives_json() {
        let mut points = Points::default();
        for (step, value) in [0.1, -0.0, 5e-324, f64::MAX, f64::NAN].into_iter().enumerate() {
            points.push(1_700_000_000_000, step as i64 - 2, value);
        }
        let back: Points = serde_json::from_str(&serde_json::to_string(&points).unwrap()).unwrap();
        let bits = |points: &Points| points.iter().map(|(_, _, value)| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&points));
        assert_eq!(back.steps, [-2, -1, 0, 1, 2]);
    }
}
