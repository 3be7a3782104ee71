use std::ops::RangeInclusive;

use tiegel_types::Ordering;
use tiegel_types::limits::PLUGIN_CONFIG_BYTES_MAX;

use super::{Checker, Hint, NO_HINT};
use crate::field::FieldPath;
use crate::kinds::{FitSpec, PipelineSpec, RetrySpec, StepSpec};
use crate::plugin_ref::PluginRef;

/// Tries after the first.
const RETRIES_MAX: u32 = 10;
/// Milliseconds before the first retry.
const BACKOFF_MS_MAX: u64 = 600_000;
/// Seconds that a step may take: a week.
const TIMEOUT_SECONDS_MAX: u64 = 604_800;

impl Checker<'_> {
    pub(super) fn step(&mut self, at: &FieldPath, step: &StepSpec, pipeline: &PipelineSpec) {
        if self.exactly_one(at, &[("sql", step.sql.is_some()), ("wasm", step.wasm.is_some())]) {
            self.foreign_fields(at, step);
        }
        if let Some(sql) = &step.sql {
            self.not_empty(&at.field("sql"), sql);
            self.columns(&at.field("key"), &step.key);
        }
        if let Some(plugin) = &step.wasm {
            self.plugin(at, step, plugin);
        }
        if let Some(fit) = &step.fit {
            self.fit(&at.field("fit"), fit, pipeline);
        }
        if let Some(RetrySpec { max, backoff_ms }) = &step.retry {
            let at = at.field("retry");
            self.within(&at.field("max"), u64::from(*max), 0..=u64::from(RETRIES_MAX));
            self.within(&at.field("backoffMs"), *backoff_ms, 0..=BACKOFF_MS_MAX);
        }
        if let Some(seconds) = step.timeout_seconds {
            self.within(&at.field("timeoutSeconds"), seconds, 1..=TIMEOUT_SECONDS_MAX);
        }
    }

    /// Fields that only the other sort of step has.
    fn foreign_fields(&mut self, at: &FieldPath, step: &StepSpec) {
        let StepSpec { sql, wasm: _, key, from, columns, keep, config, fit, ordering, retry: _, timeout_seconds: _ } =
            step;
        let wasm_only = [
            ("from", from.is_some()),
            ("columns", !columns.is_empty()),
            ("keep", !keep.is_empty()),
            ("config", config.is_some()),
            ("fit", fit.is_some()),
            ("ordering", ordering.is_some()),
        ];
        let sql_only = [("key", !key.is_empty())];
        let (sort, foreign) = match sql {
            Some(_) => ("a SQL step", wasm_only.as_slice()),
            None => ("a wasm step", sql_only.as_slice()),
        };
        for (field, _) in foreign.iter().filter(|(_, is_set)| *is_set) {
            let hint: Hint = match *field {
                "from" => "name the table in the SELECT".into(),
                "fit" => "only plugins learn; a SELECT has nothing to fit".into(),
                _ => "remove it".into(),
            };
            self.error(&at.field(field), format!("{sort} has no {field}"), hint);
        }
    }

    fn plugin(&mut self, at: &FieldPath, step: &StepSpec, plugin: &str) {
        if let Err(message) = plugin.parse::<PluginRef>() {
            self.error(&at.field("wasm"), message, "write NAME, NAME@VERSION or NAME@sha256:DIGEST");
        }
        if step.columns.is_empty() {
            self.error(&at.field("columns"), "a wasm step names the columns that it reads", "write columns: [COLUMN]");
        }
        self.columns(&at.field("columns"), &step.columns);
        self.columns(&at.field("keep"), &step.keep);
        for (i, column) in step.keep.iter().enumerate().filter(|(_, column)| !step.columns.contains(column)) {
            let message = format!("'{column}' is not in columns, so it stays in the output anyway");
            self.error(&at.field("keep").item(i), message, "remove it");
        }
        let config_bytes = step.config.as_ref().map_or(0, |config| config.to_string().len());
        if config_bytes > PLUGIN_CONFIG_BYTES_MAX {
            let message =
                format!("the config has {config_bytes} bytes; at most {PLUGIN_CONFIG_BYTES_MAX} are passed on");
            self.error(&at.field("config"), message, NO_HINT);
        }
        if let Some(Ordering { partition_by, order_by }) = &step.ordering {
            let at = at.field("ordering");
            self.columns(&at.field("partitionBy"), partition_by);
            self.columns(&at.field("orderBy"), order_by);
            if order_by.is_empty() {
                self.error(&at.field("orderBy"), "an ordering needs at least one column", NO_HINT);
            }
        }
    }

    fn fit(&mut self, at: &FieldPath, fit: &FitSpec, pipeline: &PipelineSpec) {
        if let (Some(split), None) = (fit.split, &pipeline.split) {
            let message = format!("the pipeline has no split, so it has no {split} rows");
            self.error(&at.field("split"), message, "add spec.split, or remove this to fit on all rows");
        }
        if let Some(target) = &fit.target {
            self.not_empty(&at.field("target"), target);
        }
    }

    fn within(&mut self, at: &FieldPath, value: u64, range: RangeInclusive<u64>) {
        if !range.contains(&value) {
            let hint = format!("use {} to {}", range.start(), range.end());
            self.error(at, format!("{value} is out of range"), hint.as_str());
        }
    }
}

impl StepSpec {
    /// The path, where `sql` is the path of a file and not a SELECT.
    pub fn sql_file(&self) -> Option<&str> {
        self.sql.as_deref().map(str::trim).filter(|sql| sql.ends_with(".sql") && !sql.contains(char::is_whitespace))
    }
}
