use tiegel_types::{Family, Kind, ModelSpec, Optimizer, SPLIT_COLUMN, Task, TrainSpec};

use super::{Checker, NO_HINT, meant};
use crate::field::FieldPath;
use crate::kinds::TrainingSpec;

/// Passes over the training rows.
const EPOCHS_MAX: u32 = 10_000;
/// Rows of one optimizer step.
const BATCH_ROWS_MAX: u32 = 1 << 20;
const HIDDEN_LAYERS_MAX: usize = 64;
/// Units of one hidden layer, and numbers of one learned vector.
const WIDTH_MAX: u32 = 65_536;

impl Checker<'_> {
    pub(super) fn training(&mut self, at: &FieldPath, training: &TrainingSpec) {
        let TrainingSpec { pipeline, task, model, train, experiment, .. } = training;
        if self.resource(Kind::Pipeline, pipeline.as_str()).is_none() {
            let hint = meant(pipeline, self.names(Kind::Pipeline), "pipeline");
            self.error(&at.field("pipeline"), format!("there is no pipeline '{pipeline}'"), hint);
        }
        if let Some(experiment) = experiment {
            self.not_empty(&at.field("experiment"), experiment);
        }
        self.training_columns(at, training);
        self.model(&at.field("model"), model);
        self.embedded_columns(&at.field("model").field("embeddings"), training);
        self.train(&at.field("train"), train, *task);
    }

    /// No column may have two roles.
    fn training_columns(&mut self, at: &FieldPath, training: &TrainingSpec) {
        let TrainingSpec { target, weight, features, exclude, .. } = training;
        self.not_empty(&at.field("target"), target);
        self.columns(&at.field("features"), features);
        self.columns(&at.field("exclude"), exclude);
        if weight.as_ref() == Some(target) {
            self.error(&at.field("weight"), format!("'{target}' is the target already"), NO_HINT);
        }
        for (i, feature) in features.iter().enumerate() {
            let role = match feature {
                f if f == target => "the target",
                f if weight.as_ref() == Some(f) => "the weight",
                f if f == SPLIT_COLUMN => "the split",
                f if exclude.contains(f) => "excluded",
                _ => continue,
            };
            self.error(&at.field("features").item(i), format!("'{feature}' is {role}, so it is no feature"), NO_HINT);
        }
    }

    fn embedded_columns(&mut self, at: &FieldPath, training: &TrainingSpec) {
        for column in training.model.embeddings.keys() {
            let no_feature = *column == training.target
                || training.weight.as_ref() == Some(column)
                || training.exclude.contains(column)
                || (!training.features.is_empty() && !training.features.contains(column));
            if no_feature {
                self.error(&at.field(column), format!("'{column}' is no feature, so it cannot be embedded"), NO_HINT);
            }
        }
    }

    fn model(&mut self, at: &FieldPath, model: &ModelSpec) {
        let ModelSpec { family, hidden, dropout, embeddings } = model;
        if *family == Family::Linear {
            for (field, is_set) in [("hidden", !hidden.is_empty()), ("dropout", *dropout != 0.0)] {
                if is_set {
                    self.error(&at.field(field), format!("a linear model has no {field}"), "write family: mlp");
                }
            }
        } else if hidden.is_empty() {
            self.error(&at.field("hidden"), "an mlp needs at least one hidden layer", "write hidden: [128, 64]");
        }
        if hidden.len() > HIDDEN_LAYERS_MAX {
            let message = format!("there are {} hidden layers; at most {HIDDEN_LAYERS_MAX} are allowed", hidden.len());
            self.error(&at.field("hidden"), message, NO_HINT);
        }
        for (i, &units) in hidden.iter().enumerate() {
            self.whole(&at.field("hidden").item(i), units, WIDTH_MAX);
        }
        for (column, &width) in embeddings {
            self.whole(&at.field("embeddings").field(column), width, WIDTH_MAX);
        }
        self.number(&at.field("dropout"), *dropout, Range::FromZeroBelowOne);
    }

    fn train(&mut self, at: &FieldPath, train: &TrainSpec, task: Task) {
        let TrainSpec { epochs_max, batch_rows, seed: _, optimizer, positive_weight, patience_epochs: _, refit: _ } =
            train;
        self.whole(&at.field("epochsMax"), *epochs_max, EPOCHS_MAX);
        self.whole(&at.field("batchRows"), *batch_rows, BATCH_ROWS_MAX);
        if let Some(weight) = positive_weight {
            let at = at.field("positiveWeight");
            self.number(&at, *weight, Range::AboveZero);
            if task != Task::Binary {
                self.error(&at, "only a binary target has a positive class", "remove it, or write task: binary");
            }
        }
        let Optimizer { learning_rate, schedule: _, weight_decay, beta1, beta2, epsilon } = optimizer;
        let at = at.field("optimizer");
        self.number(&at.field("learningRate"), *learning_rate, Range::AboveZero);
        self.number(&at.field("weightDecay"), *weight_decay, Range::FromZero);
        self.number(&at.field("beta1"), *beta1, Range::FromZeroBelowOne);
        self.number(&at.field("beta2"), *beta2, Range::FromZeroBelowOne);
        self.number(&at.field("epsilon"), *epsilon, Range::AboveZero);
    }

    fn whole(&mut self, at: &FieldPath, value: u32, max: u32) {
        if !(1..=max).contains(&value) {
            self.error(at, format!("{value} is out of range"), format!("use 1 to {max}").as_str());
        }
    }

    pub(super) fn number(&mut self, at: &FieldPath, value: f64, range: Range) {
        let (good, hint) = match range {
            Range::FromZero => (value >= 0.0, "use 0 or more"),
            Range::AboveZero => (value > 0.0, "use a number above 0"),
            Range::FromZeroBelowOne => ((0.0..1.0).contains(&value), "use 0 to below 1"),
            Range::BetweenZeroAndOne => (value > 0.0 && value < 1.0, "use a number above 0 and below 1"),
        };
        if !good || !value.is_finite() {
            self.error(at, format!("{value} is out of range"), hint);
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Range {
    FromZero,
    AboveZero,
    FromZeroBelowOne,
    BetweenZeroAndOne,
}
