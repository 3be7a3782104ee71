//! Model families, the training loop and the inference engine; the only importer of candle.
//!
//! Invariants:
//! - The same request and data give the same weight bytes, for any number of threads and interruptions, and on the CPU
//!   for any processor (`exp`, `ln` and `cos` are the C library's). All randomness is drawn from ChaCha streams keyed by
//!   (seed, phase, epoch, purpose); no float sum depends on a thread.
//! - A prediction depends on its own row only: every output element is summed in one fixed order, so a row gives the
//!   same bits alone and in a batch.
//! - The training set is never in memory: rows pass through a shuffle window of bounded rows and bytes.

mod adamw;
mod artifact;
mod checkpoint;
mod columns;
mod dense;
mod engine;
mod error;
mod examples;
mod fit;
mod forward;
mod layout;
mod loss;
mod metrics;
mod network;
mod ops;
mod panels;
mod predictor;
mod randomness;
mod schedule;
mod shuffle;
mod survey;
mod train;
mod validation;
mod vocabulary;
mod weights;

#[cfg(test)]
mod tests;

pub use engine::{CandleEngine, ModelConfig};
