use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use tiegel_engine::{Binding, FaultKind, PluginErrorCode, PluginFailure, State, Transformer};
use tiegel_types::Schema;

use crate::core::{Core, Plugin, Purpose};
use crate::fault::{bad_output, fault, shift_row};
use crate::fit::{preferred_rows, rows_a_call, slices};
use crate::instance::Instance;
use crate::lift::Output;
use crate::lower::LoweredBatch;
use crate::slots::{Acquired, Slot};

/// Batches that `flush` may answer before it is called endless.
const FLUSH_BATCHES_MAX: usize = 100_000;

/// Warm instances of one (plugin, config, state, input). Dropping it drops them. Of a plugin whose manifest asks for it,
/// every call of a row-wise transform sees a fresh instance instead.
pub struct WarmTransformer {
    core: Arc<Core>,
    plugin: Arc<Plugin>,
    binding: Binding,
    state: Option<State>,
    output: Output,
    pool: u64,
}

impl WarmTransformer {
    /// Starts the first instance, which shows the output columns and stays warm.
    pub fn new(core: &Arc<Core>, binding: &Binding, state: Option<State>) -> Result<Self, PluginFailure> {
        static NEXT_POOL: AtomicU64 = AtomicU64::new(0);

        let plugin = core.require(binding)?;
        let purpose = Purpose { fitting: false, state: state.as_ref(), seed: b"transform" };
        let slot = core.room(&binding.image.label)?;
        let (instance, output) = core.bind(&plugin, binding, &purpose, slot)?;
        let output = output.ok_or_else(|| not_fitted(&binding.image.label, plugin.descriptor.fits))?;
        let transformer = Self {
            core: Arc::clone(core),
            plugin,
            binding: binding.clone(),
            state,
            output: Output::new(output),
            pool: NEXT_POOL.fetch_add(1, Ordering::Relaxed),
        };
        transformer.release(instance);
        Ok(transformer)
    }

    fn label(&self) -> &str {
        &self.binding.image.label
    }

    fn acquire(&self) -> Result<Instance, PluginFailure> {
        match self.core.slots.acquire(Some(self.pool)) {
            Some(Acquired::Warm(instance)) => Ok(*instance),
            Some(Acquired::Empty(slot)) => self.start(slot),
            None => Err(self.core.saturated(self.label())),
        }
    }

    fn start(&self, slot: Slot) -> Result<Instance, PluginFailure> {
        let purpose = Purpose { fitting: false, state: self.state.as_ref(), seed: b"transform" };
        let (instance, output) = self.core.bind(&self.plugin, &self.binding, &purpose, slot)?;
        if output.as_ref() != Some(&self.output.schema) {
            return Err(bad_output(self.label(), "a second instance declares other output columns than the first"));
        }
        Ok(instance)
    }

    /// Keeps an instance warm. One that sees rows in order has seen its rows.
    fn release(&self, instance: Instance) {
        let is_reusable = self.plugin.is_warm() && instance.is_reusable(self.core.invocations_max);
        if self.row_wise() && is_reusable {
            self.core.slots.release(self.pool, instance);
        }
    }

    /// Runs a batch through one instance in slices, and hands each answer on.
    fn run(
        &self,
        held: &mut Option<Instance>,
        input: &RecordBatch,
        output: &mut dyn FnMut(RecordBatch) -> Result<(), PluginFailure>,
    ) -> Result<(), PluginFailure> {
        let memory_bytes_max = self.plugin.limits(&self.binding.limits).memory_bytes_max;
        let rows = rows_a_call(input, self.preferred_rows(), memory_bytes_max);
        for (from, len) in slices(input.num_rows(), rows) {
            let slice = LoweredBatch::new(self.label(), &self.binding.input, &input.slice(from, len))?;
            let mut instance = held.take().map_or_else(|| self.acquire(), Ok)?;
            let answer = instance.transform(&self.output, &slice, self.row_wise().then_some(len));
            if self.plugin.is_warm() || !self.row_wise() {
                *held = Some(instance);
            }
            output(answer.map_err(|e| shift_row(e, from))?)?;
        }
        Ok(())
    }

    fn flush(
        &self,
        instance: &mut Instance,
        output: &mut dyn FnMut(RecordBatch) -> Result<(), PluginFailure>,
    ) -> Result<(), PluginFailure> {
        for _ in 0..FLUSH_BATCHES_MAX {
            match instance.flush(&self.output)? {
                Some(batch) => output(batch)?,
                None => return Ok(()),
            }
        }
        Err(bad_output(self.label(), format!("flush answered {FLUSH_BATCHES_MAX} batches and did not end")))
    }
}

impl Transformer for WarmTransformer {
    fn output(&self) -> &Schema {
        &self.output.schema
    }

    fn row_wise(&self) -> bool {
        self.plugin.descriptor.row_wise
    }

    fn preferred_rows(&self) -> usize {
        preferred_rows(self.plugin.descriptor.preferred_rows)
    }

    fn transform(&self, input: &RecordBatch) -> Result<RecordBatch, PluginFailure> {
        if !self.row_wise() {
            let message = "it is not row-wise: it must see all rows in order, which a single batch is not";
            return Err(fault(self.label(), FaultKind::Host, message));
        }
        let (mut held, mut parts) = (None, Vec::with_capacity(1));
        let ran = self.run(&mut held, input, &mut |part| {
            parts.push(part);
            Ok(())
        });
        if let Some(instance) = held {
            self.release(instance);
        }
        ran?;
        match parts.len() {
            1 => Ok(parts.remove(0)),
            _ => concat_batches(&self.output.arrow, &parts)
                .map_err(|error| fault(self.label(), FaultKind::Host, format!("joining its batches: {error}"))),
        }
    }

    fn transform_all(
        &self,
        inputs: &mut dyn Iterator<Item = Result<RecordBatch, PluginFailure>>,
        output: &mut dyn FnMut(RecordBatch) -> Result<(), PluginFailure>,
    ) -> Result<(), PluginFailure> {
        let mut held = Some(self.acquire()?);
        let mut rows_before = 0;
        for input in inputs {
            let input = input?;
            self.run(&mut held, &input, output).map_err(|e| shift_row(e, rows_before))?;
            rows_before += input.num_rows();
        }
        if let Some(mut instance) = held {
            // A row-wise plugin holds nothing back, by contract.
            if !self.row_wise() {
                self.flush(&mut instance, output)?;
            }
            self.release(instance);
        }
        Ok(())
    }
}

impl Drop for WarmTransformer {
    fn drop(&mut self) {
        self.core.slots.forget(self.pool);
    }
}

fn not_fitted(label: &str, fits: bool) -> PluginFailure {
    if !fits {
        return bad_output(label, "declares no output columns, though it learns no state");
    }
    PluginFailure::Refused {
        plugin: label.to_owned(),
        code: PluginErrorCode::NotFitted,
        message: "it needs a state: fit it first".to_owned(),
        column: None,
        row: None,
    }
}
