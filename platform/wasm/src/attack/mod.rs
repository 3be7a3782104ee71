//! Attacks: plugins that break every rule against a host, and broken input against a plugin.
//!
//! An attack is contained when it ends as expected within its deadline, the failure names the plugin and can be shown in a
//! terminal, and a plugin that behaves answers afterwards what it answered before.

pub(crate) mod arena;
mod bombs;
pub(crate) mod guest;
mod hosts;
pub(crate) mod inputs;
mod layout;
mod targets;

use std::time::Duration;

use tiegel_engine::{FaultKind, PluginFailure};
use tiegel_types::Schema;

use crate::fault::fault;
use crate::host::{HostError, WasmHost};
use crate::{HostConfig, text};
use arena::Arena;

/// The deadline of every attacking call.
const CALL: Duration = Duration::from_millis(200);

/// How far past its deadline an attack may end: one look at the clock, and one instruction that cannot be interrupted,
/// which may write all of an instance's memory for the first time.
const OVERRUN_MAX: Duration = Duration::from_millis(500);

/// Bytes of an outcome that are shown.
const OUTCOME_BYTES_MAX: usize = 160;

/// How an attack ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub attack: String,
    pub expected: &'static str,
    pub outcome: String,
    pub took: Duration,
    pub contained: bool,
}

/// A component that is to be attacked.
pub struct Target<'a> {
    pub wasm: &'a [u8],
    pub config: serde_json::Value,
    /// The columns that it takes; where there are none, columns of several types are tried.
    pub input: Option<Schema>,
}

/// How an attack has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expect {
    /// The component is not taken, or what it says of itself is not.
    Refused,
    Timeout,
    Trap,
    MemoryLimit,
    OutputLimit,
    BadOutput,
    /// The plugin answers as if nothing had been.
    Harmless,
    /// An answer, an error of the plugin's or a limit: the host goes on, whatever it was.
    Contained,
    /// An answer or an error that the plugin gives itself.
    Answered,
}

impl Expect {
    fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout => "stopped in time",
            Self::Trap => "trap",
            Self::MemoryLimit => "memory limit",
            Self::OutputLimit => "output limit",
            Self::BadOutput => "bad output",
            Self::Harmless => "harmless",
            Self::Contained => "contained",
            Self::Answered => "answer or refusal",
        }
    }

    fn holds(self, result: &Result<(), PluginFailure>) -> bool {
        let kind = match result {
            Ok(()) => return matches!(self, Self::Harmless | Self::Contained | Self::Answered),
            Err(PluginFailure::Refused { .. }) => return matches!(self, Self::Contained | Self::Answered),
            Err(PluginFailure::Fault { kind, .. }) => *kind,
        };
        match self {
            Self::Refused => matches!(kind, FaultKind::NotAPlugin | FaultKind::BadOutput),
            Self::Timeout => kind == FaultKind::Timeout,
            Self::Trap => kind == FaultKind::Trap,
            Self::MemoryLimit => kind == FaultKind::MemoryLimit,
            Self::OutputLimit => kind == FaultKind::OutputLimit,
            Self::BadOutput => kind == FaultKind::BadOutput,
            Self::Contained => kind != FaultKind::Host,
            Self::Harmless | Self::Answered => false,
        }
    }
}

/// Attacks a host of this configuration with all plugins that come with it.
///
/// # Errors
/// When the host does not start, or does not run a plugin that behaves.
pub fn host(config: &HostConfig) -> Result<Vec<Outcome>, AttackError> {
    let arena = Arena::new(config)?;
    Ok(hosts::attacks().into_iter().map(|attack| arena.run(attack)).collect())
}

/// Attacks a plugin with input that it does not expect, on a host of this configuration.
///
/// # Errors
/// When the host does not start, or the component is not a plugin that takes any of the columns.
pub fn component(config: &HostConfig, target: &Target<'_>) -> Result<Vec<Outcome>, AttackError> {
    let arena = Arena::new(config)?;
    let victim = targets::Victim::new(&arena, target)?;
    Ok(victim.attacks().into_iter().map(|attack| arena.run(attack)).collect())
}

#[derive(Debug, thiserror::Error)]
pub enum AttackError {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Plugin(#[from] PluginFailure),
}

/// One thing to try. It times itself, so that compiling does not count.
pub(crate) struct Attack<'a> {
    name: String,
    expect: Expect,
    run: Box<dyn Fn(&Arena) -> Ran + 'a>,
}

/// What came of an attack, and how long its calls took.
pub(crate) struct Ran {
    result: Result<(), PluginFailure>,
    took: Duration,
    /// On a processor, which is what the deadline is judged by: how long a thread waits for one is not the guest's doing.
    cpu: Duration,
}

impl Ran {
    /// For what is not one call: time does not count.
    fn untimed(result: Result<(), PluginFailure>) -> Self {
        Self { result, took: Duration::ZERO, cpu: Duration::ZERO }
    }
}

impl<'a> Attack<'a> {
    fn new(name: impl Into<String>, expect: Expect, run: impl Fn(&Arena) -> Ran + 'a) -> Self {
        Self { name: name.into(), expect, run: Box::new(run) }
    }
}

/// A result as the user reads it.
fn shown(result: &Result<(), PluginFailure>) -> String {
    match result {
        Ok(()) => "answered".to_owned(),
        Err(failure) => text::clean(&failure.to_string(), OUTCOME_BYTES_MAX),
    }
}

/// Something that no host may do.
fn wrong(message: impl Into<String>) -> PluginFailure {
    fault("host", FaultKind::Host, message)
}

fn fresh_host(config: &HostConfig) -> Result<WasmHost, PluginFailure> {
    WasmHost::new(config).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests;
