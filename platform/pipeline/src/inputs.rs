use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tiegel_types::Digest;

/// Everything that can change a step's output, by a name that people understand, such as `input weather` or `config`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inputs(pub BTreeMap<String, Value>);

impl Inputs {
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        self.0.insert(name.into(), value.into());
        self
    }

    pub fn key(&self) -> Digest {
        Digest::of_json(&serde_json::json!(self.0))
    }
}

/// Whether a step ran, and why: what `tiegel why` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub ran: bool,
    /// The inputs that differ from the last time the step finished.
    pub changed: Vec<ChangedInput>,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangedInput {
    pub input: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Compares a step's inputs with those of the last time it finished.
pub fn decide(cached: bool, forced: bool, last: Option<&Inputs>, now: &Inputs) -> Decision {
    let changed = last.map(|last| differences(last, now)).unwrap_or_default();
    let names: Vec<_> = changed.iter().map(|c| c.input.as_str()).collect();
    let text = match (cached, forced, last) {
        (true, ..) if changed.is_empty() => "cached: no input changed since it last ran".to_owned(),
        (true, ..) => format!("cached: {} changed back to what an earlier run had", names.join(", ")),
        (false, true, _) => "ran: the cache was switched off for this run".to_owned(),
        (false, false, None) => "ran: it never finished before".to_owned(),
        (false, false, Some(_)) if changed.is_empty() => "ran: its stored output is gone".to_owned(),
        (false, false, Some(_)) => format!("ran: {} changed", names.join(", ")),
    };
    Decision { ran: !cached, changed, text }
}

/// The decision with its changes, a line each.
pub fn explain(decision: &Decision) -> Vec<String> {
    let show = |value: &Option<Value>| match value {
        None => "(absent)".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut lines = vec![decision.text.clone()];
    for change in &decision.changed {
        lines.push(format!("  {}: {} -> {}", change.input, show(&change.before), show(&change.after)));
    }
    lines
}

fn differences(before: &Inputs, after: &Inputs) -> Vec<ChangedInput> {
    let mut names: Vec<_> = before.0.keys().chain(after.0.keys()).collect();
    names.sort();
    names.dedup();
    let change = |name: &String| {
        let (old, new) = (before.0.get(name), after.0.get(name));
        (old != new).then(|| ChangedInput { input: name.clone(), before: old.cloned(), after: new.cloned() })
    };
    names.into_iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(pairs: &[(&str, &str)]) -> Inputs {
        Inputs(pairs.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect())
    }

    #[test]
    fn a_step_that_ran_again_names_the_input_that_changed() {
        let before = inputs(&[("code", "a"), ("input weather", "w1")]);
        let after = inputs(&[("code", "a"), ("input weather", "w2")]);
        let decision = decide(false, false, Some(&before), &after);
        assert_eq!(explain(&decision), ["ran: input weather changed", "  input weather: w1 -> w2"]);
    }

    #[test]
    fn every_other_decision_says_why_in_one_line() {
        let a = inputs(&[("code", "a")]);
        let b = inputs(&[("code", "b")]);
        assert_eq!(decide(true, false, Some(&a), &a).text, "cached: no input changed since it last ran");
        assert_eq!(decide(true, false, Some(&a), &b).text, "cached: code changed back to what an earlier run had");
        assert_eq!(decide(false, false, None, &a).text, "ran: it never finished before");
        assert_eq!(decide(false, true, Some(&a), &a).text, "ran: the cache was switched off for this run");
        assert_eq!(decide(false, false, Some(&a), &a).text, "ran: its stored output is gone");
    }
}
