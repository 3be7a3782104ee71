//! The binary: the command line, and the one place that joins the engines, the store and the dialects.

pub mod cli;
mod compose;
mod lock;
mod places;
mod secret_key;
mod serve;

pub use serve::Server;
