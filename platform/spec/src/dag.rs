use std::collections::BTreeMap;

use tiegel_types::Name;

use crate::{PipelineSpec, StepSpec};

/// The steps of a pipeline read each other in a circle, so none of them can run first.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the steps read each other in a circle: {}", .steps.iter().map(Name::as_str).collect::<Vec<_>>().join(" reads "))]
pub struct CycleError {
    /// Each step reads the next; the last is the first again.
    pub steps: Vec<Name>,
}

impl PipelineSpec {
    /// The tables that a step reads, steps and datasets alike: `from`, or the step before it, for a plugin;
    /// the table references of its SELECT, as `references` has them, for SQL.
    pub fn inputs(&self, step: &str, references: &BTreeMap<Name, Vec<String>>) -> Vec<String> {
        let Some((index, _, spec)) = self.steps.get_full(step) else { return Vec::new() };
        if spec.sql.is_some() {
            return references.get(step).cloned().unwrap_or_default();
        }
        self.source_of(index, spec).map(|name| vec![name.to_string()]).unwrap_or_default()
    }

    /// The steps in an order in which each comes after what it reads; where that leaves a choice, as written.
    ///
    /// `references` are the table names of each SQL step's SELECT; a name that is no step is a dataset and does not count.
    pub fn order(&self, references: &BTreeMap<Name, Vec<String>>) -> Result<Vec<Name>, CycleError> {
        let reads: Vec<Vec<usize>> = self.steps.keys().map(|name| self.steps_read_by(name, references)).collect();
        let mut done = vec![false; reads.len()];
        let mut order = Vec::with_capacity(reads.len());
        while order.len() < reads.len() {
            let ready = (0..reads.len()).find(|&i| !done[i] && reads[i].iter().all(|&input| done[input]));
            let Some(next) = ready else { return Err(self.circle(&reads, &done)) };
            done[next] = true;
            order.push(self.steps.get_index(next).expect("an index below the number of steps").0.clone());
        }
        Ok(order)
    }

    /// The step or dataset that a plugin step reads; none for a first step without `from`.
    pub(crate) fn source_of<'a>(&'a self, index: usize, spec: &'a StepSpec) -> Option<&'a Name> {
        let before = || self.steps.get_index(index.checked_sub(1)?).map(|(name, _)| name);
        spec.from.as_ref().or_else(before)
    }

    /// The step whose table is the pipeline's: `output`, or the last.
    pub fn output_step(&self) -> Option<&Name> {
        self.output.as_ref().or_else(|| self.steps.last().map(|(name, _)| name))
    }

    fn steps_read_by(&self, step: &Name, references: &BTreeMap<Name, Vec<String>>) -> Vec<usize> {
        let inputs = self.inputs(step.as_str(), references);
        inputs.iter().filter_map(|input| self.steps.get_index_of(input.as_str())).collect()
    }

    /// Follows unfinished inputs until a step comes up twice. Every unfinished step has one.
    fn circle(&self, reads: &[Vec<usize>], done: &[bool]) -> CycleError {
        let mut trail = vec![done.iter().position(|d| !d).expect("a step is left")];
        loop {
            let last = trail[trail.len() - 1];
            let next = *reads[last].iter().find(|&&i| !done[i]).expect("an unfinished step reads an unfinished one");
            if let Some(start) = trail.iter().position(|&i| i == next) {
                let circle = trail[start..].iter().chain([&next]);
                let name = |&i: &usize| self.steps.get_index(i).expect("an index of a step").0.clone();
                return CycleError { steps: circle.map(name).collect() };
            }
            trail.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline(steps: &[(&str, Option<&str>)]) -> PipelineSpec {
        let name = |text: &str| Name::new(text).unwrap();
        let step = |from: &Option<&str>| match from {
            Some(from) => StepSpec { wasm: Some("x".into()), from: Some(name(from)), ..StepSpec::default() },
            None => StepSpec { sql: Some("select 1".into()), ..StepSpec::default() },
        };
        PipelineSpec {
            description: None,
            params: BTreeMap::new(),
            steps: steps.iter().map(|(n, from)| (name(n), step(from))).collect(),
            split: None,
            output: None,
            serve_from: None,
        }
    }

    fn references(pairs: &[(&str, &[&str])]) -> BTreeMap<Name, Vec<String>> {
        let owned = |tables: &&[&str]| tables.iter().map(|t| t.to_string()).collect();
        pairs.iter().map(|(step, tables)| (Name::new(*step).unwrap(), owned(tables))).collect()
    }

    #[test]
    fn steps_run_after_what_they_read_and_else_as_written() {
        let spec = pipeline(&[("last", Some("joined")), ("b", None), ("joined", None), ("a", None)]);
        let order = spec.order(&references(&[("joined", &["flights", "a", "b"])])).unwrap();
        assert_eq!(order.iter().map(Name::as_str).collect::<Vec<_>>(), ["b", "a", "joined", "last"]);
        assert_eq!(spec.inputs("last", &BTreeMap::new()), ["joined"]);
        assert_eq!(spec.output_step().unwrap().as_str(), "a");
    }

    #[test]
    fn a_circle_is_named() {
        let spec = pipeline(&[("start", None), ("a", Some("b")), ("b", Some("c")), ("c", None)]);
        let error = spec.order(&references(&[("c", &["start", "a"])])).unwrap_err();
        assert_eq!(error.to_string(), "the steps read each other in a circle: a reads b reads c reads a");
        let error = spec.order(&references(&[("start", &["start"])])).unwrap_err();
        assert_eq!(error.to_string(), "the steps read each other in a circle: start reads start");
    }
}
