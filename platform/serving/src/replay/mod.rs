//! Proves before a deployment that an endpoint computes what training saw: stored raw rows go through the endpoint's own
//! JSON decoder and stages, singly and in random batches, and every feature byte and prediction is compared.

mod compare;
mod report;
mod sample;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use tiegel_context::{Ctx, OpError, OpResult};
use tokio_util::sync::CancellationToken;

use crate::decode::{Input, PredictRequest, encode_rows};
use crate::loaded::LoadedBundle;
use compare::{first_difference, same_prediction, same_row};
pub use report::{Difference, Mode, ReplayReport};
pub(crate) use sample::Sample;

/// Rows of the largest random batch.
const BATCH_ROWS_MAX: usize = 512;
/// Rows of one batch where the stored features are predicted for comparison.
const OFFLINE_ROWS: usize = 8_192;
/// Milliseconds after which the rest of the rows is not sent singly any more; all are sent in batches whatever it takes.
const SINGLES_MS_MAX: i64 = 10_000;
/// What a difference names where the decoder is at fault.
const REQUEST_STEP: &str = "request";
/// What a difference names where the prediction differs.
const MODEL_STEP: &str = "model";

/// Replays the bundle's stored rows. A difference is a report that did not pass, not an error.
///
/// # Errors
/// Where the stored rows cannot be read, or something failed that another try may not meet.
pub async fn replay(ctx: &Ctx, loaded: Arc<LoadedBundle>) -> OpResult<ReplayReport> {
    let seed = seed_of(&loaded);
    let sample = sample::read(ctx, loaded.bundle(), seed).await?;
    let (clock, cancel) = (ctx.clock.clone(), CancellationToken::new());
    // The thread would go on when nobody waits for it any more, and hold up a shutdown.
    let _stop = cancel.clone().drop_guard();
    ctx.blocking(move || {
        let started = clock.now_ms();
        let mut in_time = move || clock.now_ms() - started < SINGLES_MS_MAX;
        Replay::new(&loaded, &sample, cancel)?.run(seed, &mut in_time)
    })
    .await?
}

/// The bundle decides, so that the same bundle is always proven on the same rows.
fn seed_of(loaded: &LoadedBundle) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&loaded.digest().as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

struct Replay<'a> {
    loaded: &'a LoadedBundle,
    sample: &'a Sample,
    /// Each row as a client would send it.
    texts: Vec<String>,
    /// The model's predictions over the stored features.
    offline: Vec<f64>,
    cancel: CancellationToken,
}

impl<'a> Replay<'a> {
    fn new(loaded: &'a LoadedBundle, sample: &'a Sample, cancel: CancellationToken) -> OpResult<Self> {
        let rows = encode_rows(&sample.raw)?;
        let texts = rows.iter().map(serde_json::to_string).collect::<Result<_, _>>();
        let texts = texts.map_err(|e| OpError::internal(format!("cannot write a row as JSON: {e}")))?;
        let mut offline = Vec::with_capacity(sample.rows.len());
        for start in (0..sample.rows.len()).step_by(OFFLINE_ROWS) {
            let rows = OFFLINE_ROWS.min(sample.rows.len() - start);
            offline.extend(loaded.predict(&sample.features.slice(start, rows))?);
        }
        Ok(Self { loaded, sample, texts, offline, cancel })
    }

    fn run(&self, seed: u64, in_time: &mut dyn FnMut() -> bool) -> OpResult<ReplayReport> {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut order: Vec<u32> = (0..self.sample.rows.len() as u32).collect();
        order.shuffle(&mut rng);
        let mut report = ReplayReport::of_rows(order.len() as u64);
        let span = tracing::info_span!("replay.batches", rows = order.len());
        let same = span.in_scope(|| quietly(|| self.run_batches(&order, &mut rng, &mut report)))?;
        let span = tracing::info_span!("replay.singles", rows = order.len());
        report.passed = same && span.in_scope(|| quietly(|| self.run_singles(&order, in_time, &mut report)))?;
        Ok(report)
    }

    fn run_batches(&self, order: &[u32], rng: &mut ChaCha20Rng, report: &mut ReplayReport) -> OpResult<bool> {
        let mut rest = order;
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(rng.random_range(1..=BATCH_ROWS_MAX).min(rest.len()));
            rest = after;
            report.batches += 1;
            if !self.add(batch, Mode::Batch(batch.len() as u32), report)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn run_singles(
        &self,
        order: &[u32],
        in_time: &mut dyn FnMut() -> bool,
        report: &mut ReplayReport,
    ) -> OpResult<bool> {
        for row in order {
            if !in_time() {
                break;
            }
            report.single_rows += 1;
            if !self.add(std::slice::from_ref(row), Mode::Single, report)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the rows gave what is stored.
    fn add(&self, rows: &[u32], mode: Mode, report: &mut ReplayReport) -> OpResult<bool> {
        if self.cancel.is_cancelled() {
            return Err(OpError::Cancelled);
        }
        // A deadline can be missed once on a busy machine, so a call that fails is made a second time.
        let outcome = self.check(rows, mode).or_else(|_| self.check(rows, mode));
        let difference = match outcome {
            Ok(Outcome::Same { max_difference }) => {
                let most = report.max_prediction_difference.unwrap_or(0.0).max(max_difference);
                report.max_prediction_difference = Some(most);
                return Ok(true);
            }
            Ok(Outcome::Differs(difference)) => difference,
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => self.failure(rows, mode, &error),
        };
        report.difference = Some(difference);
        Ok(false)
    }

    /// Sends the rows as one request and compares everything on the way.
    fn check(&self, rows: &[u32], mode: Mode) -> OpResult<Outcome> {
        let texts: Vec<&str> = rows.iter().map(|&row| self.texts[row as usize].as_str()).collect();
        let body = format!("{{\"rows\":[{}]}}", texts.join(","));
        let request: PredictRequest = serde_json::from_str(&body)
            .map_err(|e| OpError::internal(format!("a written row is not readable: {e}")))?;
        let indices = UInt32Array::from(rows.to_vec());
        let (raw, stored) = (take(&self.sample.raw, &indices)?, take(&self.sample.features, &indices)?);

        let decoded = self.loaded.decode(&Input::Rows(request.rows))?;
        if let Some(found) = first_difference(&raw, &decoded) {
            let place = Place { step: REQUEST_STEP.to_owned(), row: rows[found.row], mode };
            return Ok(Outcome::Differs(self.difference(place, found)));
        }
        let features = self.loaded.features(&decoded)?;
        if let Some(found) = first_difference(&stored, &features) {
            let step = self.step_at_fault(&raw, rows[found.row], &found.column, found.row);
            let place = Place { step, row: rows[found.row], mode };
            return Ok(Outcome::Differs(self.difference(place, found)));
        }
        let predictions = self.loaded.predict(&features)?;
        Ok(self.compare_predictions(rows, mode, &predictions))
    }

    fn compare_predictions(&self, rows: &[u32], mode: Mode, predictions: &[f64]) -> Outcome {
        let mut max_difference = 0.0_f64;
        for (&row, &online) in rows.iter().zip(predictions) {
            let offline = self.offline[row as usize];
            if !same_prediction(offline, online) {
                let found = compare::Found {
                    row: 0,
                    column: "prediction".to_owned(),
                    expected: offline.to_string(),
                    got: online.to_string(),
                };
                let place = Place { step: MODEL_STEP.to_owned(), row, mode };
                return Outcome::Differs(self.difference(place, found));
            }
            let difference = (online - offline).abs();
            if difference.is_finite() {
                max_difference = max_difference.max(difference);
            }
        }
        Outcome::Same { max_difference }
    }

    fn difference(&self, place: Place, found: compare::Found) -> Difference {
        Difference {
            step: place.step,
            row: self.sample.rows[place.row as usize],
            column: found.column,
            expected: found.expected,
            got: found.got,
            mode: place.mode,
        }
    }

    /// The first of the rows that fails alone stands for a request that failed.
    fn failure(&self, rows: &[u32], mode: Mode, error: &OpError) -> Difference {
        let alone = rows.iter().find_map(|row| match self.check(std::slice::from_ref(row), Mode::Single) {
            Err(error) => Some((*row, Mode::Single, error.to_string())),
            Ok(_) => None,
        });
        let (row, mode, message) = alone.unwrap_or((rows[0], mode, error.to_string()));
        // Errors of a stage open with its name.
        let named = self.loaded.stages().iter().find(|s| message.starts_with(&format!("step '{}'", s.step())));
        Difference {
            step: named.map_or(MODEL_STEP, |s| s.step()).to_owned(),
            row: self.sample.rows[row as usize],
            column: String::new(),
            expected: "an answer".to_owned(),
            got: message,
            mode,
        }
    }

    /// The first stage whose answer for the row depends on the rows beside it; else the stage that makes the column.
    fn step_at_fault(&self, request: &RecordBatch, row: u32, column: &str, position: usize) -> String {
        let alone = self.sample.raw.slice(row as usize, 1);
        let start = (row as usize).saturating_sub(BATCH_ROWS_MAX / 2);
        let beside = self.sample.raw.slice(start, BATCH_ROWS_MAX.min(self.sample.rows.len() - start));
        let trails = [self.loaded.trail(&alone), self.loaded.trail(&beside), self.loaded.trail(request)];
        let [Ok(alone_trail), Ok(beside_trail), Ok(request_trail)] = trails else {
            return self.maker(column, None);
        };
        let place = row as usize - start;
        let unsteady = (0..alone_trail.len()).find(|&stage| {
            !same_row((&alone_trail[stage], 0), (&beside_trail[stage], place))
                || !same_row((&alone_trail[stage], 0), (&request_trail[stage], position))
        });
        match unsteady {
            Some(stage) => self.loaded.stages()[stage].step().to_owned(),
            None => self.maker(column, Some((&alone, &alone_trail))),
        }
    }

    /// The last stage that makes the column. A SQL stage counts where the column's value changes in it.
    fn maker(&self, column: &str, trail: Option<(&RecordBatch, &[RecordBatch])>) -> String {
        let stages = self.loaded.stages();
        let made = (0..stages.len()).rev().find(|&index| {
            let changed = trail.is_none_or(|(raw, trail)| {
                let before = if index == 0 { raw } else { &trail[index - 1] };
                !compare::same_column(before, &trail[index], column)
            });
            stages[index].makes(column) && (!stages[index].is_sql() || changed)
        });
        made.map_or(REQUEST_STEP, |index| stages[index].step()).to_owned()
    }
}

enum Outcome {
    Same { max_difference: f64 },
    Differs(Difference),
}

struct Place {
    step: String,
    /// In the sample.
    row: u32,
    mode: Mode,
}

/// Without spans: a replay makes more plugin calls than a trace should hold.
fn quietly<T>(work: impl FnOnce() -> T) -> T {
    tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), work)
}

fn take(batch: &RecordBatch, indices: &UInt32Array) -> OpResult<RecordBatch> {
    take_record_batch(batch, indices).map_err(|e| OpError::internal(format!("cannot pick stored rows: {e}")))
}
