use std::collections::BTreeMap;

use tiegel_types::Kind;
use tiegel_types::limits::PIPELINE_STEPS_MAX;

use super::{Checker, NO_HINT, meant};
use crate::field::{FieldPath, Segment};
use crate::kinds::PipelineSpec;
use crate::params::{Substituted, substitute};

impl Checker<'_> {
    pub(super) fn pipeline(&mut self, at: &FieldPath, written: &PipelineSpec) {
        let Substituted { pipeline, errors, used } = substitute(written);
        for error in errors.iter() {
            self.error(&inside(at, &error.path), error.message.clone(), error.hint.clone());
        }
        self.unused_params(&at.field("params"), written, &used);
        if !errors.is_empty() {
            return;
        }
        self.steps(&at.field("steps"), &pipeline);
        for (field, step) in [("output", &pipeline.output), ("serveFrom", &pipeline.serve_from)] {
            let Some(step) = step.as_ref().filter(|step| !pipeline.steps.contains_key(*step)) else { continue };
            let hint = meant(step, pipeline.steps.keys().map(|n| n.as_str()), "step");
            self.error(&at.field(field), format!("there is no step '{step}'"), hint);
        }
        if let Some(split) = &pipeline.split {
            self.split(&at.field("split"), split, &pipeline);
        }
    }

    fn unused_params(&mut self, at: &FieldPath, pipeline: &PipelineSpec, used: &std::collections::BTreeSet<String>) {
        let reads_files = pipeline.steps.values().any(|step| step.sql_file().is_some());
        for name in pipeline.params.keys().filter(|name| !reads_files && !used.contains(*name)) {
            self.warning(&at.field(name), format!("the param '{name}' is not used"), "remove it");
        }
    }

    fn steps(&mut self, at: &FieldPath, pipeline: &PipelineSpec) {
        match pipeline.steps.len() {
            0 => self.error(at, "a pipeline needs at least one step", NO_HINT),
            n if n > PIPELINE_STEPS_MAX => {
                self.error(at, format!("there are {n} steps; a pipeline has at most {PIPELINE_STEPS_MAX}"), NO_HINT);
            }
            _ => {}
        }
        for (index, (name, step)) in pipeline.steps.iter().enumerate() {
            let at = at.field(name);
            if self.resource(Kind::Dataset, name.as_str()).is_some() {
                let message = format!("'{name}' is the name of a dataset too, so SQL could mean either");
                self.error(&at, message, "rename the step");
            }
            self.step(&at, step, pipeline);
            if step.wasm.is_some() {
                self.step_source(&at, index, pipeline);
            }
        }
        if let Err(circle) = pipeline.order(&BTreeMap::new()) {
            self.error(&at.field(&circle.steps[0]), circle.to_string(), NO_HINT);
        }
    }

    /// What a plugin step reads must be a step or a dataset.
    fn step_source(&mut self, at: &FieldPath, index: usize, pipeline: &PipelineSpec) {
        let (_, step) = pipeline.steps.get_index(index).expect("the index of a step");
        let Some(source) = pipeline.source_of(index, step) else {
            self.error(at, "the first step reads nothing", "write from: DATASET");
            return;
        };
        if pipeline.steps.contains_key(source) || self.resource(Kind::Dataset, source.as_str()).is_some() {
            return;
        }
        let steps = pipeline.steps.keys().map(|name| name.as_str());
        let known: Vec<&str> = steps.chain(self.names(Kind::Dataset)).collect();
        let hint = meant(source, known.into_iter(), "dataset");
        self.error(&at.field("from"), format!("there is no step or dataset '{source}'"), hint);
    }
}

fn inside(at: &FieldPath, path: &FieldPath) -> FieldPath {
    path.0.iter().fold(at.clone(), |at, segment| match segment {
        Segment::Field(name) => at.field(name),
        Segment::Item(index) => at.item(*index),
    })
}
