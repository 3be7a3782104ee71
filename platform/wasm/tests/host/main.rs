//! The host with real components. They come from `make plugins`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attack;
mod binding;
mod boundary;
mod cache;
mod compile;
mod deadlines;
mod fitting;
mod golden;
mod hostile;
mod javascript;
mod log;
mod ordered;
mod parity;
mod pool;
mod python;
mod refusal;
