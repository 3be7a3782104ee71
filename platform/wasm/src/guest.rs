use std::time::Instant;

use rand::RngCore;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tiegel_types::limits::{PLUGIN_LOG_LINE_BYTES_MAX, PLUGIN_LOG_LINES_MAX};

use crate::bindings::log::Level;
use crate::bindings::{artifacts, log, random, types};
use crate::budget::Budget;
use crate::text;

/// Fields of one log line.
const LOG_FIELDS_MAX: usize = 16;

/// What the host keeps of one instance, and the services that it gives to the guest.
pub struct Guest {
    pub label: String,
    pub budget: Budget,
    pub output_bytes_max: usize,
    /// Whether the call that runs may draw random numbers.
    pub may_draw: bool,
    /// When the call that runs is over.
    pub deadline: Instant,
    rng: ChaCha8Rng,
    log_lines: usize,
    last_error: Option<String>,
}

/// Why a guest's draw traps.
#[derive(Debug, thiserror::Error)]
#[error("it drew a random number in a row-wise transform, whose output may depend on its row alone")]
struct RandomInRowWise;

impl Guest {
    pub fn new(label: &str, budget: Budget, output_bytes_max: usize, seed: [u8; 32]) -> Self {
        Self {
            label: label.to_owned(),
            budget,
            output_bytes_max,
            may_draw: true,
            deadline: Instant::now(),
            rng: ChaCha8Rng::from_seed(seed),
            log_lines: 0,
            last_error: None,
        }
    }

    /// The last line that was logged as an error since the last call of this: for Rust guests the panic's message.
    pub fn take_last_error(&mut self) -> Option<String> {
        self.last_error.take()
    }
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let line = line(&message, &fields);
        if level == Level::Error {
            self.last_error = Some(line.clone());
        }
        self.log_lines = self.log_lines.saturating_add(1);
        match self.log_lines.cmp(&PLUGIN_LOG_LINES_MAX) {
            std::cmp::Ordering::Less => emit(level, &self.label, &line),
            std::cmp::Ordering::Equal => emit(Level::Warn, &self.label, "further lines of this instance are dropped"),
            std::cmp::Ordering::Greater => {}
        }
        Ok(())
    }
}

impl random::Host for Guest {
    fn next_u64(&mut self) -> wasmtime::Result<u64> {
        if self.may_draw { Ok(self.rng.next_u64()) } else { Err(RandomInRowWise.into()) }
    }
}

impl artifacts::Host for Guest {
    fn read(&mut self, name: String, _offset: u64, _len: u32) -> wasmtime::Result<Result<Vec<u8>, String>> {
        let name = text::clean(&name, PLUGIN_LOG_LINE_BYTES_MAX);
        Ok(Err(format!("no file named '{name}' was granted to this plugin")))
    }
}

fn line(message: &str, fields: &[(String, String)]) -> String {
    let mut line = text::clean(message, PLUGIN_LOG_LINE_BYTES_MAX);
    for (key, value) in fields.iter().take(LOG_FIELDS_MAX) {
        if line.len() >= PLUGIN_LOG_LINE_BYTES_MAX {
            return line;
        }
        let rest = PLUGIN_LOG_LINE_BYTES_MAX - line.len();
        line.push_str(&format!(" {}={}", text::clean(key, rest), text::clean(value, rest)));
    }
    line
}

fn emit(level: Level, plugin: &str, line: &str) {
    match level {
        Level::Trace => tracing::trace!(target: "plugin", plugin, "{line}"),
        Level::Debug => tracing::debug!(target: "plugin", plugin, "{line}"),
        Level::Info => tracing::info!(target: "plugin", plugin, "{line}"),
        Level::Warn => tracing::warn!(target: "plugin", plugin, "{line}"),
        // A plugin's error is not the platform's.
        Level::Error => tracing::warn!(target: "plugin", plugin, "{line}"),
    }
}
