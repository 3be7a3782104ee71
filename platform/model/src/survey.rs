use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use tiegel_engine::{ModelError, Order, TrainObserver};
use tiegel_types::{DType, Task};

use crate::columns::{Columns, Place};
use crate::error::{Result, invalid};
use crate::examples::{Reader, labels};
use crate::loss::TargetScale;
use crate::vocabulary::{Values, VocabularyBuilder};

/// What one pass over the rows, in stored order, finds out before the first step. The pass also meets every value that
/// cannot be learned from, while row numbers still mean something to the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Survey {
    pub(crate) rows: u64,
    /// Mean of what the rows count in the loss.
    pub(crate) weight_mean: f64,
    pub(crate) target: TargetScale,
    /// The network's output before it has learned anything: the log-odds of the positive share, or 0.
    pub(crate) output_start: f64,
    /// One for each embedding, in the order of the feature columns.
    pub(crate) vocabularies: Vec<Values>,
}

impl Survey {
    pub(crate) fn take(reader: &Reader<'_>, observer: &dyn TrainObserver) -> Result<Self> {
        let text = |column| reader.layout.field(column).dtype == DType::Utf8;
        let mut vocabularies: Vec<_> =
            reader.layout.categories.iter().map(|c| VocabularyBuilder::new(text(c.column))).collect();
        let mut targets = Moments::default();
        let mut numbers = Vec::new();
        let of = reader.of();
        for batch in reader.batches(Order::Stored)? {
            if observer.cancelled() {
                return Err(ModelError::Cancelled);
            }
            let (rows_before, batch) = batch?;
            let place = Place { rows_before, of: &of };
            visit(reader, &batch, place, &mut vocabularies, &mut numbers)?;
            let (values, weights) = labels(reader.request, &batch, place)?;
            values.iter().zip(&weights).for_each(|(value, weight)| targets.add(*value, *weight));
        }
        let (target, output_start) = targets.scale(reader.request.task, &reader.request.target, &of)?;
        Ok(Self {
            rows: targets.rows,
            weight_mean: targets.weight / targets.rows as f64,
            target,
            output_start,
            vocabularies: vocabularies.into_iter().map(VocabularyBuilder::finish).collect(),
        })
    }
}

fn visit(
    reader: &Reader<'_>,
    batch: &RecordBatch,
    place: Place<'_>,
    vocabularies: &mut [VocabularyBuilder],
    numbers: &mut Vec<f32>,
) -> Result<()> {
    let columns = Columns::new(reader.layout, batch, place)?;
    numbers.resize(columns.rows * reader.layout.numeric_len, 0.0);
    columns.fill_numbers(0..columns.rows, numbers, reader.layout.numeric_len)?;
    for ((builder, keys), input) in vocabularies.iter_mut().zip(columns.keys()).zip(&reader.layout.categories) {
        builder.add(keys, &reader.layout.field(input.column).name)?;
    }
    Ok(())
}

/// Weighted mean and spread in one pass (West 1979).
#[derive(Default)]
struct Moments {
    rows: u64,
    weight: f64,
    mean: f64,
    spread: f64,
}

impl Moments {
    fn add(&mut self, value: f64, weight: f64) {
        self.rows += 1;
        if weight > 0.0 {
            self.weight += weight;
            let delta = value - self.mean;
            self.mean += delta * weight / self.weight;
            self.spread += weight * delta * (value - self.mean);
        }
    }

    /// How the network sees the target, and its first output.
    fn scale(&self, task: Task, target: &str, of: &str) -> Result<(TargetScale, f64)> {
        if self.rows == 0 {
            return Err(invalid(format!("there are no rows{of}: nothing can be learned")));
        }
        if self.weight == 0.0 {
            return Err(invalid(format!("all {} rows{of} have weight 0: nothing can be learned", self.rows)));
        }
        match task {
            Task::Binary if self.mean <= 0.0 || self.mean >= 1.0 => {
                let value = self.mean > 0.5;
                Err(invalid(format!("target '{target}' is {value} in every row{of}: a classifier needs both classes")))
            }
            Task::Binary => Ok((TargetScale::NONE, (self.mean / (1.0 - self.mean)).ln())),
            Task::Regression => {
                let deviation = (self.spread / self.weight).sqrt();
                let deviation = if deviation > 0.0 { deviation } else { 1.0 };
                Ok((TargetScale { mean: self.mean, deviation }, 0.0))
            }
        }
    }
}
