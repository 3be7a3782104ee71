//! The server's configuration: one file, the environment and flags, in rising order of precedence.
//!
//! Invariants: this is the only reader of environment variables; unknown keys are refused; a secret never shows in debug
//! output, logs or the printed configuration.

mod check;
mod error;
mod load;
mod secret;
mod tree;

pub use error::ConfigError;
pub use load::Overrides;
pub use secret::Secret;
pub use tree::{
    Config, GcConfig, JobsConfig, LogFormat, PluginsConfig, QueryConfig, Synchronous, TelemetryConfig, WebhooksConfig,
};
