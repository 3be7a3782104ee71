use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use candle_core::Device;
use rand_chacha::rand_core::RngCore;
use tiegel_engine::{EpochReport, Flow, ModelError, Order, TrainObserver};
use tiegel_types::Metrics;

use crate::adamw::AdamW;
use crate::checkpoint::{BestEpoch, Checkpoint, Header};
use crate::error::{Result, invalid};
use crate::examples::{Examples, Reader};
use crate::forward::Forward;
use crate::loss::row_loss;
use crate::network::{Dropout, Network, start_weights};
use crate::randomness::{Purpose, stream};
use crate::schedule::Schedule;
use crate::shuffle::Shuffled;
use crate::survey::Survey;
use crate::validation::validate;
use crate::vocabulary::{Values, Vocabulary};
use crate::weights::Weights;

/// Batches that are read, encoded and shuffled ahead of the optimizer.
const BATCHES_AHEAD_MAX: usize = 4;

/// What to fit on.
pub(crate) struct FitPlan<'a> {
    pub(crate) train: &'a Reader<'a>,
    /// Rows to measure each epoch on, where there are any.
    pub(crate) validation: Option<&'a Reader<'a>>,
    pub(crate) device: &'a Device,
    pub(crate) fingerprint: &'a str,
    /// Epochs to run at most.
    pub(crate) epochs: u32,
    /// What the first fit found; there in a refit only.
    pub(crate) fitted: Option<BestEpoch>,
}

/// The weights that a fit keeps.
pub(crate) struct Fitted {
    pub(crate) weights: Weights,
    pub(crate) best: BestEpoch,
    pub(crate) survey: Survey,
}

/// A fit in progress.
struct Fit<'a> {
    plan: &'a FitPlan<'a>,
    network: Network,
    optimizer: AdamW,
    schedule: Schedule,
    vocabularies: Vec<Vocabulary>,
    header: Header,
    /// Those of the best epoch, where there is a validation split.
    best: Option<Weights>,
}

/// What an epoch adds up.
#[derive(Default)]
struct Totals {
    rows: u64,
    loss: f64,
    weight: f64,
    rate: f64,
}

/// Fits from the start or from a checkpoint.
pub(crate) fn fit(
    plan: &FitPlan<'_>,
    checkpoint: Option<Checkpoint>,
    observer: &mut dyn TrainObserver,
) -> Result<Fitted> {
    let mut fit = Fit::new(plan, checkpoint, observer)?;
    while fit.header.epoch < plan.epochs && !fit.stops_early() {
        let epoch = fit.header.epoch + 1;
        let _span = tracing::info_span!("model.epoch", epoch, refit = plan.fitted.is_some()).entered();
        fit.epoch(epoch, observer)?;
    }
    fit.finish()
}

impl<'a> Fit<'a> {
    fn new(plan: &'a FitPlan<'a>, checkpoint: Option<Checkpoint>, observer: &dyn TrainObserver) -> Result<Self> {
        let Reader { request, layout, .. } = *plan.train;
        let refit = plan.fitted.is_some();
        let survey = match &checkpoint {
            Some(checkpoint) => checkpoint.header.survey.clone(),
            None => Survey::take(plan.train, observer)?,
        };
        let lens: Vec<_> = survey.vocabularies.iter().map(Values::table_len).collect();
        layout.parameters(&request.model, &lens)?;
        if let Some(checkpoint) = &checkpoint {
            checkpoint.check_tensors(&layout.tensors(&request.model, &lens))?;
        }
        let weights = match &checkpoint {
            Some(checkpoint) => checkpoint.weights.clone(),
            None => start_weights(layout, &request.model, &survey, request.train.seed, refit),
        };
        let network = Network::new(layout, &request.model, &weights, plan.device)?;
        let mut optimizer = AdamW::new(&request.train.optimizer, &network)?;
        // A refit keeps the pace of the fit whose best epoch it repeats, so the schedule spans all epochs there too.
        let steps = survey.rows.div_ceil(u64::from(request.train.batch_rows)) * u64::from(request.train.epochs_max);
        let schedule = Schedule::new(&request.train.optimizer, steps);
        let vocabularies = survey.vocabularies.iter().map(Vocabulary::new).collect();
        let mut header = Header::new(plan.fingerprint, refit, &survey, plan.fitted.as_ref());
        let mut best = None;
        if let Some(checkpoint) = checkpoint {
            let moments = (&checkpoint.first_moments, &checkpoint.second_moments);
            optimizer.restore(&network, checkpoint.header.step, moments)?;
            header = checkpoint.header;
            best = checkpoint.best;
        }
        Ok(Self { plan, network, optimizer, schedule, vocabularies, header, best })
    }

    /// The index of the epoch with the lowest validation loss, the earliest of equals.
    fn best_index(&self) -> Option<usize> {
        let loss = |index: &usize| self.header.history[*index].get("loss").copied().unwrap_or(f64::INFINITY);
        (0..self.header.history.len()).min_by(|a, b| loss(a).total_cmp(&loss(b)))
    }

    fn stops_early(&self) -> bool {
        let patience = self.plan.train.request.train.patience_epochs as usize;
        let since_best = self.best_index().map_or(0, |best| self.header.history.len() - 1 - best);
        patience > 0 && since_best >= patience
    }

    fn epoch(&mut self, epoch: u32, observer: &mut dyn TrainObserver) -> Result<()> {
        let started = Instant::now();
        let totals = self.learn(epoch, observer)?;
        let seconds = started.elapsed().as_secs_f64();
        let train_loss = self.header.survey.target.loss_factor() * totals.loss / totals.weight;
        if !train_loss.is_finite() {
            return Err(self.diverged(epoch));
        }
        self.header.epoch = epoch;
        self.header.step = self.optimizer.step;
        let validation = self.validate(epoch, observer)?;
        let report = EpochReport {
            epoch,
            epochs_max: self.plan.epochs,
            refit: self.plan.fitted.is_some(),
            train_loss,
            validation: validation.unwrap_or_default(),
            learning_rate: totals.rate,
            samples_per_second: totals.rows as f64 / seconds.max(f64::MIN_POSITIVE),
        };
        // Reported before it is stored: after a crash in between, the epoch is reported again, with the same values.
        let flow = observer.epoch(&report);
        observer.checkpoint(epoch, self.checkpoint()?.to_bytes()?.to_vec())?;
        match flow {
            Flow::Continue => Ok(()),
            Flow::Cancel => Err(ModelError::Cancelled),
        }
    }

    /// One pass over the training rows. A thread reads, encodes and shuffles ahead.
    fn learn(&mut self, epoch: u32, observer: &dyn TrainObserver) -> Result<Totals> {
        let reader = self.plan.train;
        let (seed, refit) = (reader.request.train.seed, self.plan.fitted.is_some());
        let order = Order::Shuffled { seed: stream(seed, refit, epoch, Purpose::RowGroups).next_u64() };
        let vocabularies = std::mem::take(&mut self.vocabularies);
        let examples = reader.examples(order, &vocabularies)?;
        let row_bytes = size_of::<f32>() * (reader.layout.numeric_len + reader.layout.categories.len());
        let rng = stream(seed, refit, epoch, Purpose::Window);
        let batches = Shuffled::new(examples, rng, reader.request.train.batch_rows as usize, row_bytes);
        let mut dropout = stream(seed, refit, epoch, Purpose::Dropout);
        let mut totals = Totals::default();
        let span = tracing::Span::current();
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(BATCHES_AHEAD_MAX);
            scope.spawn(move || {
                let _span = span.enter();
                for batch in batches {
                    // The receiver is gone when the training ended early.
                    if sender.send(batch).is_err() {
                        break;
                    }
                }
            });
            for batch in receiver {
                if observer.cancelled() {
                    return Err(ModelError::Cancelled);
                }
                let dropout = Dropout { rate: reader.request.model.dropout, rng: &mut dropout };
                self.step(batch?, dropout, &mut totals)?;
            }
            Ok(())
        })?;
        self.vocabularies = vocabularies;
        Ok(totals)
    }

    fn step(&mut self, mut batch: Examples, dropout: Dropout<'_>, totals: &mut Totals) -> Result<()> {
        let (task, survey) = (self.plan.train.request.task, &self.header.survey);
        let trace = self.network.forward(&mut batch, Some(dropout))?;
        // The mean weight of all rows, not of the batch's, so that a row counts the same in every batch.
        let divisor = batch.len() as f64 * survey.weight_mean;
        let mut derivative = Vec::with_capacity(batch.len());
        for ((output, target), weight) in trace.output()?.into_iter().zip(&batch.targets).zip(&batch.weights) {
            let (loss, slope) = row_loss(task, f64::from(output), survey.target.to_network(*target));
            totals.loss += weight * loss;
            totals.weight += weight;
            derivative.push((weight * slope / divisor) as f32);
        }
        totals.rows += batch.len() as u64;
        totals.rate = self.schedule.rate(self.optimizer.step);
        let gradients = self.network.backward(&trace, derivative)?;
        self.optimizer.update(&mut self.network, &gradients, totals.rate)
    }

    /// Measures the epoch and keeps its weights where it is the best so far.
    fn validate(&mut self, epoch: u32, observer: &dyn TrainObserver) -> Result<Option<Metrics>> {
        let Some(reader) = self.plan.validation else { return Ok(None) };
        let weights = self.network.weights()?;
        let survey = &self.header.survey;
        let forward = Forward::new(reader.layout, &reader.request.model, &survey.vocabularies, &weights);
        let measures = validate(&forward, survey.target, reader, observer)?;
        if measures.get("loss").is_some_and(|loss| !loss.is_finite()) {
            return Err(self.diverged(epoch));
        }
        self.header.history.push(measures.clone());
        if self.best_index() == Some(self.header.history.len() - 1) {
            self.best = Some(weights);
        }
        Ok(Some(measures))
    }

    fn diverged(&self, epoch: u32) -> ModelError {
        let rate = self.plan.train.request.train.optimizer.learning_rate;
        invalid(format!(
            "the training diverged in epoch {epoch}: the loss is no finite number. Standardize the features, or lower \
             optimizer.learningRate (now {rate})"
        ))
    }

    fn checkpoint(&self) -> Result<Checkpoint> {
        let (first_moments, second_moments) = self.optimizer.moments(&self.network)?;
        let weights = self.network.weights()?;
        Ok(Checkpoint { header: self.header.clone(), weights, first_moments, second_moments, best: self.best.clone() })
    }

    fn finish(mut self) -> Result<Fitted> {
        let best = match self.best_index() {
            Some(index) => BestEpoch { epoch: index as u32 + 1, validation: self.header.history.swap_remove(index) },
            None => BestEpoch { epoch: self.header.epoch, validation: Metrics::new() },
        };
        let weights = match self.best {
            Some(weights) => weights,
            None => self.network.weights()?,
        };
        Ok(Fitted { weights, best, survey: self.header.survey })
    }
}
