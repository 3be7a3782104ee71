//! Measures training and prediction: `cargo run -p tiegel-model --example bench_train`.
//!
//! Prints samples a second of whole trainings (reading, shuffling and validation included), and the time of one
//! prediction call next to candle's own forward pass of the same layers.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BooleanArray, FixedSizeListArray, Float32Array, RecordBatch};
use arrow::datatypes::{DataType, Field as ArrowField};
use candle_core::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tiegel_engine::{
    EpochReport, Flow, ModelArtifact, ModelEngine, ModelError, Order, RowBatches, TrainObserver, TrainRequest,
    TrainingData, schema_of,
};
use tiegel_model::{CandleEngine, ModelConfig};
use tiegel_types::{Family, ModelSpec, Schema, Split, Task, TrainSpec};

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    for threads in [1, 2] {
        let engine = CandleEngine::new(&ModelConfig { threads, device: "cpu".to_owned() })?;
        println!("{threads} thread(s), {}", engine.version());
        let small =
            train(&engine, Case { inputs: 60, hidden: vec![64, 32], batch_rows: 512, rows: 200_000, epochs: 3 })?;
        train(&engine, Case { inputs: 784, hidden: vec![512, 512], batch_rows: 128, rows: 8_000, epochs: 2 })?;
        if threads == 1 {
            predict(&engine, &small, &[60, 64, 32])?;
        }
    }
    Ok(())
}

struct Case {
    inputs: usize,
    hidden: Vec<u32>,
    batch_rows: u32,
    rows: usize,
    epochs: u32,
}

fn train(engine: &CandleEngine, case: Case) -> Result<ModelArtifact, Error> {
    let data = Rows(table(case.inputs, case.rows)?);
    let schema = schema_of(&data.0.schema())?;
    let model =
        ModelSpec { family: Family::Mlp, hidden: case.hidden.clone(), dropout: 0.0, embeddings: Default::default() };
    let request = TrainRequest {
        task: Task::Binary,
        model,
        train: TrainSpec { epochs_max: case.epochs, batch_rows: case.batch_rows, ..TrainSpec::default() },
        features: Schema::new(schema.fields.into_iter().filter(|field| field.name != "y").collect()),
        target: "y".to_owned(),
        weight: None,
        checkpoint: None,
    };
    let mut best = Best(0.0);
    let model = engine.train(&request, &data, &mut best)?;
    println!(
        "  train {}-{:?}-1, batch {}: {:.0} samples/s in the best epoch",
        case.inputs, case.hidden, case.batch_rows, best.0
    );
    Ok(model.artifact)
}

fn predict(engine: &CandleEngine, artifact: &ModelArtifact, sizes: &[usize]) -> Result<(), Error> {
    let predictor = engine.load(artifact)?;
    let layers = candle_layers(sizes)?;
    for rows in [1, 32, 1024] {
        let batch = table(sizes[0], rows)?.project(&[0])?;
        let ours = fastest(|| predictor.predict(&batch).map(drop).map_err(Error::from))?;
        let input = Tensor::zeros((rows, sizes[0]), candle_core::DType::F32, &Device::Cpu)?;
        let candle = fastest(|| {
            let mut x = input.clone();
            for (weight, bias) in &layers {
                x = x.matmul(weight)?.broadcast_add(bias)?.relu()?;
            }
            black_box(x.flatten_all()?.to_vec1::<f32>()?);
            Ok(())
        })?;
        println!("  predict {rows} row(s): {ours:?} from batch to answer; candle's layers alone {candle:?}");
    }
    Ok(())
}

fn candle_layers(sizes: &[usize]) -> Result<Vec<(Tensor, Tensor)>, Error> {
    let layer = |inputs: usize, outputs: usize| {
        let weight = Tensor::ones((inputs, outputs), candle_core::DType::F32, &Device::Cpu)?;
        Ok((weight, Tensor::ones(outputs, candle_core::DType::F32, &Device::Cpu)?))
    };
    let outputs = sizes[1..].iter().copied().chain([1]);
    sizes.iter().zip(outputs).map(|(inputs, outputs)| layer(*inputs, outputs)).collect()
}

/// The fastest of many calls: what the code costs when nothing else runs.
fn fastest(mut call: impl FnMut() -> Result<(), Error>) -> Result<Duration, Error> {
    let mut best = Duration::MAX;
    for _ in 0..2_000 {
        let started = Instant::now();
        call()?;
        best = best.min(started.elapsed());
    }
    Ok(best)
}

fn table(inputs: usize, rows: usize) -> Result<RecordBatch, Error> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let values: Vec<f32> = (0..inputs * rows).map(|_| (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0).collect();
    let y: BooleanArray = values.chunks_exact(inputs).map(|row| Some(row[0] * row[1] > 0.0)).collect();
    let item = Arc::new(ArrowField::new("item", DataType::Float32, false));
    let list = FixedSizeListArray::try_new(item, inputs as i32, Arc::new(Float32Array::from(values)), None)?;
    Ok(RecordBatch::try_from_iter([("x", Arc::new(list) as ArrayRef), ("y", Arc::new(y) as ArrayRef)])?)
}

/// One table as the train split.
struct Rows(RecordBatch);

impl TrainingData for Rows {
    fn batches(&self, splits: &[Split], _order: Order, batch_rows: usize) -> Result<RowBatches, ModelError> {
        let table = self.0.slice(0, self.rows(splits)? as usize);
        let starts = (0..table.num_rows()).step_by(batch_rows);
        Ok(Box::new(starts.map(move |start| Ok(table.slice(start, batch_rows.min(table.num_rows() - start))))))
    }

    fn rows(&self, splits: &[Split]) -> Result<u64, ModelError> {
        Ok(if splits.contains(&Split::Train) { self.0.num_rows() as u64 } else { 0 })
    }
}

struct Best(f64);

impl TrainObserver for Best {
    fn epoch(&mut self, report: &EpochReport) -> Flow {
        self.0 = self.0.max(report.samples_per_second);
        Flow::Continue
    }

    fn checkpoint(&mut self, _epoch: u32, _bytes: Vec<u8>) -> Result<(), ModelError> {
        Ok(())
    }

    fn cancelled(&self) -> bool {
        false
    }
}
