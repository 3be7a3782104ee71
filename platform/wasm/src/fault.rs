use std::time::Duration;

use tiegel_engine::{FaultKind, PluginErrorCode, PluginFailure};
use tiegel_types::limits;
use wasmtime::Trap;

use crate::bindings::types::{ErrorCode, PluginError};
use crate::budget::Shortage;
use crate::guest::Guest;
use crate::text;

/// Bytes of an error message that a guest wrote.
const MESSAGE_BYTES_MAX: usize = 4_096;

pub fn fault(plugin: &str, kind: FaultKind, message: impl Into<String>) -> PluginFailure {
    PluginFailure::Fault { plugin: plugin.to_owned(), kind, message: message.into() }
}

pub fn bad_output(plugin: &str, message: impl Into<String>) -> PluginFailure {
    fault(plugin, FaultKind::BadOutput, message)
}

/// An error that the plugin answered. Its row counts from the start of the batch that the host handed over.
pub fn refused(plugin: &str, error: PluginError) -> PluginFailure {
    let PluginError { code, message, column, row } = error;
    PluginFailure::Refused {
        plugin: plugin.to_owned(),
        code: error_code(code),
        message: text::clean(&message, MESSAGE_BYTES_MAX),
        column: column.map(|column| text::clean(&column, limits::NAME_CHARS_MAX)),
        row: row.map(u64::from),
    }
}

/// A refusal that the host speaks for a plugin, before calling it.
pub fn refused_input(plugin: &str, message: impl Into<String>, column: &str) -> PluginFailure {
    PluginFailure::Refused {
        plugin: plugin.to_owned(),
        code: PluginErrorCode::InvalidInput,
        message: message.into(),
        column: Some(column.to_owned()),
        row: None,
    }
}

/// Moves a refusal's row from a slice to the whole it was cut from.
pub fn shift_row(failure: PluginFailure, rows_before: usize) -> PluginFailure {
    match failure {
        PluginFailure::Refused { plugin, code, message, column, row } => {
            let row = row.map(|row| row.saturating_add(rows_before as u64));
            PluginFailure::Refused { plugin, code, message, column, row }
        }
        other => other,
    }
}

/// Why a call came to no answer, in the words of someone who never heard of traps.
pub fn explain(guest: &mut Guest, export: &str, call: Duration, error: &wasmtime::Error) -> PluginFailure {
    let plugin = guest.label.clone();
    let shortage = guest.budget.take_shortage();
    let last_words = guest.take_last_error();
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::Interrupt) {
        let message = format!("{export} took longer than {} ms and was stopped", call.as_millis());
        return fault(&plugin, FaultKind::Timeout, message);
    }
    match shortage {
        Some(Shortage::Instance) => {
            let max = text::size(guest.budget.memory_bytes_max());
            return fault(&plugin, FaultKind::MemoryLimit, format!("{export} needs more memory than its {max}"));
        }
        Some(Shortage::Plugin) => {
            let max = text::size(guest.budget.ledger().bytes_max());
            let message = format!("{export} needs more memory than the {max} that all its instances share");
            return fault(&plugin, FaultKind::MemoryLimit, message);
        }
        None => {}
    }
    let cause = error.root_cause().to_string();
    // wasmtime's type for this is private.
    if cause.contains("fuel allocated for hostcalls") {
        let max = text::size(guest.output_bytes_max);
        return fault(&plugin, FaultKind::OutputLimit, format!("{export} handed over more than {max} at once"));
    }
    let cause = match (trap, last_words) {
        (Some(Trap::StackOverflow), _) => "its calls are nested too deep".to_owned(),
        // The SDK's guests keep their own stack at the bottom of memory.
        (Some(Trap::MemoryOutOfBounds), None) => {
            "it reached outside its memory, as calls nested too deep do".to_owned()
        }
        (_, Some(words)) => words,
        (Some(trap), None) => trap.to_string(),
        (None, None) => text::clean(&cause, MESSAGE_BYTES_MAX),
    };
    fault(&plugin, FaultKind::Trap, format!("{export} crashed: {cause}"))
}

fn error_code(code: ErrorCode) -> PluginErrorCode {
    match code {
        ErrorCode::InvalidConfig => PluginErrorCode::InvalidConfig,
        ErrorCode::InvalidSchema => PluginErrorCode::InvalidSchema,
        ErrorCode::InvalidInput => PluginErrorCode::InvalidInput,
        ErrorCode::NotFitted => PluginErrorCode::NotFitted,
        ErrorCode::BadState => PluginErrorCode::BadState,
        ErrorCode::Unsupported => PluginErrorCode::Unsupported,
        ErrorCode::Internal => PluginErrorCode::Internal,
    }
}
