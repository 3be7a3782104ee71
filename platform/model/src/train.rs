use candle_core::Device;
use tiegel_engine::{ModelError, TrainObserver, TrainRequest, TrainedModel, TrainingData};
use tiegel_types::{Digest, Split, Task, TrainSpec};

use crate::artifact::FittedModel;
use crate::checkpoint::{BestEpoch, Checkpoint};
use crate::error::{Result, invalid};
use crate::examples::Reader;
use crate::fit::{FitPlan, Fitted, fit};
use crate::layout::{InputLayout, check};

/// Rows of one optimizer step.
const BATCH_ROWS_MAX: u32 = 65_536;
const EPOCHS_MAX: u32 = 100_000;

/// One training: what is asked for, and where it runs.
pub(crate) struct Training<'a> {
    pub(crate) request: &'a TrainRequest,
    pub(crate) data: &'a dyn TrainingData,
    pub(crate) device: &'a Device,
    pub(crate) version: String,
}

impl Training<'_> {
    /// Fits, and fits once more on train plus validation where that is asked for and there is a validation split.
    pub(crate) fn run(&self, observer: &mut dyn TrainObserver) -> Result<TrainedModel> {
        let request = self.request;
        let layout = check(request.task, &request.model, &request.features)?;
        check_roles(request)?;
        check_train(request.task, &request.train)?;
        let has_validation = self.data.rows(&[Split::Validation])? > 0;
        let fingerprint = self.fingerprint()?;
        let checkpoint = request.checkpoint.as_ref().map(|bytes| Checkpoint::read(bytes, &fingerprint)).transpose()?;
        let fitting = Fitting { training: self, layout: &layout, fingerprint: &fingerprint, has_validation };

        let (fitted, best) = match checkpoint {
            Some(checkpoint) if checkpoint.header.refit => {
                let best = checkpoint.header.fitted.clone().ok_or_else(|| {
                    invalid("the checkpoint of the refit does not say what the first fit found: train from the start")
                })?;
                (fitting.refit(&best, Some(checkpoint), observer)?, best)
            }
            checkpoint => {
                let first = fitting.fit(checkpoint, observer)?;
                let best = first.best.clone();
                let refit = request.train.refit && has_validation;
                (if refit { fitting.refit(&best, None, observer)? } else { first }, best)
            }
        };
        self.finish(&layout, &fitted, best)
    }

    fn finish(&self, layout: &InputLayout, fitted: &Fitted, best: BestEpoch) -> Result<TrainedModel> {
        let model = FittedModel {
            task: self.request.task,
            spec: &self.request.model,
            layout,
            target: fitted.survey.target,
            vocabularies: &fitted.survey.vocabularies,
            weights: &fitted.weights,
        };
        Ok(TrainedModel {
            artifact: model.artifact()?,
            best_epoch: best.epoch,
            parameters: fitted.weights.values().map(|tensor| tensor.data.len() as u64).sum(),
            validation: best.validation,
        })
    }

    /// Names all that decides the weights but the content of the rows, which the caller's cache key holds.
    fn fingerprint(&self) -> Result<String> {
        let request = self.request;
        let rows = [self.data.rows(&[Split::Train])?, self.data.rows(&[Split::Validation])?];
        let all = serde_json::json!({
            "engine": self.version, "task": request.task, "model": request.model, "train": request.train,
            "features": request.features, "target": request.target, "weight": request.weight, "rows": rows,
        });
        Ok(Digest::of_json(&all).to_string())
    }
}

/// The fits of one training.
struct Fitting<'a> {
    training: &'a Training<'a>,
    layout: &'a InputLayout,
    fingerprint: &'a str,
    has_validation: bool,
}

impl Fitting<'_> {
    fn fit(&self, checkpoint: Option<Checkpoint>, observer: &mut dyn TrainObserver) -> Result<Fitted> {
        let validation = self.reader(&[Split::Validation]);
        let plan = FitPlan {
            train: &self.reader(&[Split::Train]),
            validation: self.has_validation.then_some(&validation),
            device: self.training.device,
            fingerprint: self.fingerprint,
            epochs: self.training.request.train.epochs_max,
            fitted: None,
        };
        fit(&plan, checkpoint, observer)
    }

    /// From other start weights, on train plus validation, for as many epochs as were best.
    fn refit(
        &self,
        best: &BestEpoch,
        checkpoint: Option<Checkpoint>,
        observer: &mut dyn TrainObserver,
    ) -> Result<Fitted> {
        let plan = FitPlan {
            train: &self.reader(&[Split::Train, Split::Validation]),
            validation: None,
            device: self.training.device,
            fingerprint: self.fingerprint,
            epochs: best.epoch,
            fitted: Some(best.clone()),
        };
        fit(&plan, checkpoint, observer)
    }

    fn reader<'s>(&'s self, splits: &'s [Split]) -> Reader<'s> {
        Reader { request: self.training.request, data: self.training.data, layout: self.layout, splits }
    }
}

fn check_roles(request: &TrainRequest) -> Result<()> {
    if request.features.field(&request.target).is_some() {
        return Err(invalid(format!(
            "column '{}' is the target and a feature: a model must not see its target",
            request.target
        )));
    }
    match &request.weight {
        Some(weight) if request.features.field(weight).is_some() => {
            Err(invalid(format!("column '{weight}' is the weight and a feature: it cannot be both")))
        }
        _ => Ok(()),
    }
}

/// Refuses settings of the training that are out of range.
fn check_train(task: Task, train: &TrainSpec) -> Result<()> {
    let optimizer = &train.optimizer;
    let within = |name: &str, value: u32, max: u32| {
        if (1..=max).contains(&value) { Ok(()) } else { Err(invalid(format!("'{name}' is {value}: use 1 to {max}"))) }
    };
    let number = |name: &str, value: f64, fits: bool, range: &str| {
        if fits { Ok(()) } else { Err(invalid(format!("'{name}' is {value} and must be {range}"))) }
    };
    within("epochsMax", train.epochs_max, EPOCHS_MAX)?;
    within("batchRows", train.batch_rows, BATCH_ROWS_MAX)?;
    let positive = |value: f64| value.is_finite() && value > 0.0;
    number("optimizer.learningRate", optimizer.learning_rate, positive(optimizer.learning_rate), "over 0")?;
    number("optimizer.epsilon", optimizer.epsilon, positive(optimizer.epsilon), "over 0")?;
    let share = 0.0..1.0;
    number("optimizer.beta1", optimizer.beta1, share.contains(&optimizer.beta1), "at least 0 and below 1")?;
    number("optimizer.beta2", optimizer.beta2, share.contains(&optimizer.beta2), "at least 0 and below 1")?;
    let decay = optimizer.weight_decay;
    number("optimizer.weightDecay", decay, decay.is_finite() && decay >= 0.0, "0 or more")?;
    match (train.positive_weight, task) {
        (Some(_), Task::Regression) => Err(invalid("'positiveWeight' is for task binary: remove it from a regression")),
        (Some(weight), Task::Binary) => number("positiveWeight", weight, positive(weight), "over 0"),
        (None, _) => Ok(()),
    }
}

/// Runs `work` in a pool of its own. In a shared pool a worker that waits for a part of a matrix product could pick up
/// another whole training, and come back hours later.
pub(crate) fn in_own_pool<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|i| format!("train-{i}")).build();
    let pool = pool.map_err(|e| ModelError::Internal(format!("training threads cannot be started: {e}")))?;
    let span = tracing::Span::current();
    pool.install(|| span.in_scope(work))
}
