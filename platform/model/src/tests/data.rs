use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float32Array, Float64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tiegel_engine::{
    EpochReport, Flow, ModelError, Order, RowBatches, TrainObserver, TrainRequest, TrainingData, schema_of,
};
use tiegel_types::{Family, ModelSpec, Optimizer, Schema, Split, Task, TrainSpec};

use crate::randomness::{below, uniform};

/// Rows of a pretended row group.
const GROUP_ROWS: usize = 200;

/// A table in memory with its splits.
#[derive(Clone)]
pub(crate) struct MemoryData {
    pub(crate) train: RecordBatch,
    pub(crate) validation: Option<RecordBatch>,
}

impl MemoryData {
    fn of(&self, split: Split) -> Option<&RecordBatch> {
        match split {
            Split::Train => Some(&self.train),
            Split::Validation => self.validation.as_ref(),
            Split::Test => None,
        }
    }

    pub(crate) fn features(&self, except: &[&str]) -> Schema {
        let schema = schema_of(&self.train.schema()).unwrap();
        Schema::new(schema.fields.into_iter().filter(|field| !except.contains(&field.name.as_str())).collect())
    }
}

impl TrainingData for MemoryData {
    fn batches(&self, splits: &[Split], order: Order, batch_rows: usize) -> Result<RowBatches, ModelError> {
        let parts: Vec<_> = splits.iter().filter_map(|split| self.of(*split)).collect();
        let all = concat_batches(&self.train.schema(), parts).unwrap();
        let rows = batch_rows.min(GROUP_ROWS);
        let mut groups: Vec<_> = (0..all.num_rows())
            .step_by(rows)
            .map(|start| Ok(all.slice(start, rows.min(all.num_rows() - start))))
            .collect();
        if let Order::Shuffled { seed } = order {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for last in (1..groups.len()).rev() {
                groups.swap(last, below(&mut rng, last + 1));
            }
        }
        Ok(Box::new(groups.into_iter()))
    }

    fn rows(&self, splits: &[Split]) -> Result<u64, ModelError> {
        Ok(splits.iter().filter_map(|split| self.of(*split)).map(|batch| batch.num_rows() as u64).sum())
    }
}

/// Keeps what it is told, and cancels when it is told to.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) reports: Vec<EpochReport>,
    pub(crate) checkpoints: Vec<Vec<u8>>,
    /// Cancels after this many reports.
    pub(crate) cancel_after_reports: Option<usize>,
    /// Cancels when it was asked this many times.
    pub(crate) cancel_after_asks: Option<u64>,
    pub(crate) asks: Cell<u64>,
}

impl TrainObserver for Recorder {
    fn epoch(&mut self, report: &EpochReport) -> Flow {
        self.reports.push(report.clone());
        if self.cancel_after_reports == Some(self.reports.len()) { Flow::Cancel } else { Flow::Continue }
    }

    fn checkpoint(&mut self, _epoch: u32, bytes: Vec<u8>) -> Result<(), ModelError> {
        self.checkpoints.push(bytes);
        Ok(())
    }

    fn cancelled(&self) -> bool {
        self.asks.set(self.asks.get() + 1);
        self.cancel_after_asks.is_some_and(|asks| self.asks.get() > asks)
    }
}

/// A training request with the settings of a small fit.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) task: Task,
    pub(crate) model: ModelSpec,
    pub(crate) train: TrainSpec,
    pub(crate) weight: Option<&'static str>,
    pub(crate) checkpoint: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn linear(task: Task) -> Self {
        let model = ModelSpec { family: Family::Linear, hidden: vec![], dropout: 0.0, embeddings: Default::default() };
        let optimizer = Optimizer { learning_rate: 0.05, weight_decay: 0.0, ..Optimizer::default() };
        let train = TrainSpec { epochs_max: 8, batch_rows: 64, seed: 1, optimizer, ..TrainSpec::default() };
        Self { task, model, train, weight: None, checkpoint: None }
    }

    pub(crate) fn mlp(task: Task) -> Self {
        let mut request = Self::linear(task);
        request.model.family = Family::Mlp;
        request.model.hidden = vec![16, 8];
        request.train.optimizer.learning_rate = 0.01;
        request
    }

    pub(crate) fn embed(mut self, column: &str, len: u32) -> Self {
        self.model.embeddings.insert(column.to_owned(), len);
        self
    }

    pub(crate) fn build(&self, data: &MemoryData) -> TrainRequest {
        let mut except = vec!["y"];
        except.extend(self.weight);
        TrainRequest {
            task: self.task,
            model: self.model.clone(),
            train: self.train.clone(),
            features: data.features(&except),
            target: "y".to_owned(),
            weight: self.weight.map(str::to_owned),
            checkpoint: self.checkpoint.clone(),
        }
    }
}

pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

pub(crate) fn floats(values: Vec<f32>) -> ArrayRef {
    Arc::new(Float32Array::from(values))
}

pub(crate) fn doubles(values: Vec<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(values))
}

pub(crate) fn booleans(values: Vec<bool>) -> ArrayRef {
    Arc::new(BooleanArray::from(values))
}

pub(crate) fn texts(values: Vec<Option<&str>>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

pub(crate) fn random(seed: u64, rows: usize) -> Vec<f32> {
    uniform(&mut ChaCha8Rng::seed_from_u64(seed), rows, 2.0)
}

/// Points in a square, true within a circle: no line separates them.
pub(crate) fn circle(seed: u64, rows: usize) -> RecordBatch {
    let (a, b) = (random(seed, rows), random(seed + 1, rows));
    let inside = a.iter().zip(&b).map(|(a, b)| a * a + b * b < 2.0).collect();
    table(vec![("a", floats(a)), ("b", floats(b)), ("y", booleans(inside))])
}

/// `y = 3 + 2 a - 0.5 b`, far from unit scale in `b`'s effect and in the target's offset.
pub(crate) fn plane(seed: u64, rows: usize) -> RecordBatch {
    let (a, b) = (random(seed, rows), random(seed + 1, rows));
    let y = a.iter().zip(&b).map(|(a, b)| 3.0 + 2.0 * f64::from(*a) - 0.5 * f64::from(*b)).collect();
    table(vec![("a", floats(a)), ("b", floats(b)), ("y", doubles(y))])
}

/// A number, and a city that decides most of the target: nulls too.
pub(crate) fn cities(seed: u64, rows: usize, names: &[&'static str]) -> RecordBatch {
    let a = random(seed, rows);
    let mut rng = ChaCha8Rng::seed_from_u64(seed + 9);
    let picks: Vec<usize> = (0..rows).map(|_| below(&mut rng, names.len() + 1)).collect();
    let y = a.iter().zip(&picks).map(|(a, pick)| 100.0 * *pick as f64 + f64::from(*a)).collect();
    let city = picks.iter().map(|pick| names.get(*pick).copied()).collect();
    table(vec![("a", floats(a)), ("city", texts(city)), ("y", doubles(y))])
}
