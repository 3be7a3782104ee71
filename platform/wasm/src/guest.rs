use std::sync::Arc;
use std::time::Instant;

use rand::RngCore;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tiegel_types::limits::{PLUGIN_LOG_LINE_BYTES_MAX, PLUGIN_LOG_LINES_MAX};

use crate::bindings::log::Level;
use crate::bindings::{artifacts, log, random, types};
use crate::budget::Budget;
use crate::package::Package;
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
    package: Arc<Package>,
    rng: ChaCha8Rng,
    log_lines: usize,
    log_bytes_left: usize,
    last_error: Option<String>,
}

/// What a guest is made of, apart from its budget.
pub struct Traits<'a> {
    pub label: &'a str,
    pub package: &'a Arc<Package>,
    pub output_bytes_max: usize,
    /// Of all lines that one instance logs.
    pub log_bytes_max: usize,
    pub seed: [u8; 32],
}

/// Why a guest's draw traps.
#[derive(Debug, thiserror::Error)]
#[error("it drew a random number in a row-wise transform, whose output may depend on its row alone")]
struct RandomInRowWise;

impl Guest {
    pub fn new(traits: &Traits<'_>, budget: Budget) -> Self {
        Self {
            label: traits.label.to_owned(),
            budget,
            output_bytes_max: traits.output_bytes_max,
            may_draw: true,
            deadline: Instant::now(),
            package: Arc::clone(traits.package),
            rng: ChaCha8Rng::from_seed(traits.seed),
            log_lines: 0,
            log_bytes_left: traits.log_bytes_max,
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
        if self.log_lines >= PLUGIN_LOG_LINES_MAX {
            return Ok(());
        }
        self.log_lines += 1;
        match self.log_bytes_left.checked_sub(line.len()) {
            Some(left) if self.log_lines < PLUGIN_LOG_LINES_MAX => {
                self.log_bytes_left = left;
                emit(level, &self.label, &line);
            }
            _ => {
                self.log_lines = PLUGIN_LOG_LINES_MAX;
                emit(Level::Warn, &self.label, "further lines of this instance are dropped");
            }
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
    fn read(&mut self, name: String, offset: u64, len: u32) -> wasmtime::Result<Result<Vec<u8>, String>> {
        let Some(bytes) = self.package.artifact(&name) else {
            let name = text::clean(&name, PLUGIN_LOG_LINE_BYTES_MAX);
            return Ok(Err(format!("no file named '{name}' was granted to this plugin")));
        };
        // Past the end there is nothing, as in a file.
        let from = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
        let to = from.saturating_add(len as usize).min(bytes.len());
        Ok(Ok(bytes[from..to].to_vec()))
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

#[cfg(test)]
mod tests {
    use super::artifacts::Host;
    use super::*;
    use crate::budget::Ledger;
    use crate::manifest::Manifest;

    fn guest(files: &[(&str, &[u8])]) -> Guest {
        let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
        let text = "name = \"words\"\nversion = \"1.0.0\"\nworld = \"transform\"\nsummary = \"\"\n";
        let rest = format!("[build]\nlanguage = \"rust\"\n[capabilities]\nartifacts = {names:?}");
        let manifest = Manifest::parse(&format!("{text}{rest}")).unwrap();
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        let package = Arc::new(Package::new(manifest, files).unwrap());
        let traits =
            Traits { label: "words", package: &package, output_bytes_max: 0, log_bytes_max: 100, seed: [0; 32] };
        Guest::new(&traits, Budget::new(0, Arc::new(Ledger::new(0))))
    }

    #[test]
    fn a_granted_file_is_read_in_parts_and_nothing_lies_past_its_end() {
        let mut guest = guest(&[("words.txt", b"one two three")]);
        let mut read = |offset, len| guest.read("words.txt".to_owned(), offset, len).unwrap().unwrap();
        assert_eq!(read(0, 3), b"one");
        assert_eq!(read(4, 100), b"two three");
        assert_eq!(read(13, 1), b"");
        assert_eq!(read(u64::MAX, u32::MAX), b"");
    }

    #[test]
    fn a_file_that_was_not_granted_is_not_there() {
        let mut guest = guest(&[("words.txt", b"one")]);
        let error = guest.read("../words\u{1b}.txt".to_owned(), 0, 1).unwrap().unwrap_err();
        assert_eq!(error, "no file named '../words .txt' was granted to this plugin");
    }
}
