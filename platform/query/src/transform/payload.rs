//! What another machine needs to run a plugin step: plain data, no handles.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiegel_engine::{Binding, PluginImage, PluginLimits, TableError};
use tiegel_types::{Digest, Field, Ordering, Schema, StateRef};

use crate::closed::check_names;
use crate::error::invalid;

/// A plugin step of a plan: which component with which config and state, over which columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TransformPayload {
    pub plugin: Digest,
    /// `name@version`, for messages.
    pub label: String,
    pub config: serde_json::Value,
    pub state: Option<StateRef>,
    /// The columns the plugin reads, in its order.
    pub input: Schema,
    /// The columns that stay, before the plugin's own; empty where it is not row-wise.
    pub passed: Schema,
    /// The columns the plugin answers.
    pub output: Schema,
    /// The total order in which one instance sees all rows; none for a row-wise plugin.
    pub ordering: Option<Ordering>,
    pub limits: TransformLimits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransformLimits {
    pub call_ms: u64,
    pub memory_bytes_max: usize,
    pub output_bytes_max: usize,
}

impl TransformPayload {
    /// The binding that a plugin host takes, on whatever machine.
    pub fn binding(&self) -> Binding {
        Binding {
            image: PluginImage { digest: self.plugin, label: self.label.clone() },
            config: self.config.clone(),
            input: self.input.clone(),
            target: None,
            limits: PluginLimits {
                call: Duration::from_millis(self.limits.call_ms),
                memory_bytes_max: self.limits.memory_bytes_max,
                output_bytes_max: self.limits.output_bytes_max,
            },
        }
    }

    /// The step's columns: those that pass, then the plugin's.
    pub fn schema(&self) -> Schema {
        Schema::new(self.passed.fields.iter().chain(&self.output.fields).cloned().collect())
    }

    /// Refuses a plugin that answers a column which passes through already, or one name twice.
    pub(super) fn check_clashes(&self) -> Result<(), TableError> {
        if let Some(clash) = self.output.names().find(|name| self.passed.field(name).is_some()) {
            return Err(invalid(format!(
                "plugin {} answers a column '{clash}', and the input's column '{clash}' passes through: \
                 rename one of them, or let the plugin read it",
                self.label
            )));
        }
        check_names(self.output.names()).map_err(|error| invalid(format!("plugin {}: {error}", self.label)))
    }
}

/// The columns of a table that a row-wise plugin leaves in place: those it does not read, and those it is to keep.
pub(super) fn passed_columns(table: &Schema, input: &Schema, keep: &[String]) -> Schema {
    let passes = |field: &&Field| input.field(&field.name).is_none() || keep.contains(&field.name);
    Schema::new(table.fields.iter().filter(passes).cloned().collect())
}

impl From<&PluginLimits> for TransformLimits {
    fn from(limits: &PluginLimits) -> Self {
        Self {
            call_ms: u64::try_from(limits.call.as_millis()).unwrap_or(u64::MAX),
            memory_bytes_max: limits.memory_bytes_max,
            output_bytes_max: limits.output_bytes_max,
        }
    }
}
