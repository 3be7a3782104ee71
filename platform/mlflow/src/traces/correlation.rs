//! How much more often two filters match the same traces than chance would have it.

use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::params::{Params, missing};
use crate::wire::Answer;
use crate::workspace::Workspace;
use crate::{Mlflow, MlflowResult};

use super::{experiment_ids, search};

pub(super) async fn correlation(
    State(state): State<Mlflow>,
    workspace: Workspace,
    params: Params,
) -> MlflowResult<Answer> {
    let ids = params.texts("experiment_ids")?;
    if ids.is_empty() {
        return Err(missing("experiment_ids"));
    }
    let ids = experiment_ids(&ids)?;
    let first = params.required_text("filter_string1")?;
    let second = params.required_text("filter_string2")?;
    let base = params.text("base_filter")?.unwrap_or_default();
    let with_base = |filter: &str| if base.is_empty() { filter.to_owned() } else { format!("{base} and {filter}") };
    let first = search::matching(&state, &workspace, &ids, &with_base(first)).await?;
    let second = search::matching(&state, &workspace, &ids, &with_base(second)).await?;
    let total = search::matching(&state, &workspace, &ids, base).await?;
    let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let counts = Counts {
        total: count(total.len()),
        first: count(first.len()),
        second: count(second.len()),
        both: count(first.intersection(&second).count()),
    };
    Ok(Answer(counts.json()))
}

#[derive(Clone, Copy, Debug)]
struct Counts {
    total: u64,
    first: u64,
    second: u64,
    both: u64,
}

/// What is added to each cell where few traces are counted: the prior of Jeffreys.
const PRIOR: f64 = 0.5;

impl Counts {
    fn json(self) -> Value {
        let mut fields = Map::new();
        let mut put = |key: &str, value: Option<f64>| fields.extend(value.map(|value| (key.to_owned(), json!(value))));
        put("npmi", if self.both == 0 && self.is_defined() { Some(-1.0) } else { self.npmi(0.0) });
        put("npmi_smoothed", self.npmi(PRIOR));
        for (key, count) in [
            ("filter1_count", self.first),
            ("filter2_count", self.second),
            ("joint_count", self.both),
            ("total_count", self.total),
        ] {
            fields.insert(key.to_owned(), json!(count));
        }
        Value::Object(fields)
    }

    fn is_defined(self) -> bool {
        // The three are read one after the other, and traces may come or go in between.
        self.first > 0
            && self.second > 0
            && self.both <= self.first.min(self.second)
            && self.first + self.second - self.both <= self.total
    }

    /// Normalized pointwise mutual information, from -1 (never together) to 1 (always).
    fn npmi(self, prior: f64) -> Option<f64> {
        if !self.is_defined() {
            return None;
        }
        if self.both == self.first && self.both == self.second && self.both == self.total {
            return Some(1.0);
        }
        let both = self.both as f64 + prior;
        let total = self.total as f64 + 4.0 * prior;
        let first = self.first as f64 + 2.0 * prior;
        let second = self.second as f64 + 2.0 * prior;
        if both <= 0.0 {
            return None;
        }
        let pmi = (both.ln() + total.ln()) - (first.ln() + second.ln());
        let normal = -(both.ln() - total.ln());
        Some((pmi / normal).clamp(-1.0, 1.0)).filter(|value| !value.is_nan())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npmi(total: u64, first: u64, second: u64, both: u64) -> Value {
        Counts { total, first, second, both }.json()
    }

    #[test]
    fn what_never_meets_is_minus_one_and_what_always_does_is_one() {
        assert_eq!(npmi(10, 3, 3, 0)["npmi"], -1.0);
        assert_eq!(npmi(10, 10, 10, 10)["npmi"], 1.0);
        let independent = npmi(100, 50, 50, 25);
        assert!(independent["npmi"].as_f64().unwrap().abs() < 1e-12, "{independent}");
        assert_eq!(npmi(100, 20, 15, 10)["npmi"].as_f64().map(|npmi| (npmi * 1e6).round()), Some(522_879.0));
    }

    #[test]
    fn without_a_match_there_is_no_figure() {
        let nothing = npmi(10, 0, 3, 0);
        assert_eq!(nothing, json!({"filter1_count": 0, "filter2_count": 3, "joint_count": 0, "total_count": 10}));
    }
}
