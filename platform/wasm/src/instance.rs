use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use tiegel_engine::{FaultKind, PluginFailure, PluginLimits, State};
use tiegel_types::limits::{PLUGIN_MEMORY_BYTES_MAX, STATE_BYTES_MAX};
use tiegel_types::{Digest, Field, Schema};
use tracing::field::Empty;
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::{fitter, meta, transformer, types};
use crate::budget::{Budget, Ledger};
use crate::call::{Call, Load, Meter, Weight};
use crate::component::Code;
use crate::engine::ticks;
use crate::fault::{bad_output, explain, fault, refused};
use crate::guest::{Guest, Traits};
use crate::lift::Output;
use crate::lower::{LoweredBatch, LoweredColumn};
use crate::package::Package;
use crate::schema::{lift_schema, lower_field};
use crate::slots::Slot;
use crate::text;

/// Bytes of memory above which an instance is not kept warm.
const WARM_MEMORY_BYTES_MAX: usize = 64 << 20;

/// A longer limit counts as this one: no call lasts a day.
const CALL_MAX: Duration = Duration::from_secs(86_400);

/// What one instance may do.
pub struct Terms<'a> {
    pub label: &'a str,
    pub digest: &'a Digest,
    pub limits: &'a PluginLimits,
    pub log_bytes_max: usize,
    pub package: &'a Arc<Package>,
    /// Of all instances of the plugin.
    pub ledger: &'a Arc<Ledger>,
    pub meter: Option<Meter>,
    /// Of the numbers that `random` gives.
    pub seed: [u8; 32],
    pub row_wise: bool,
}

/// One guest with its own memory. Every call has a deadline; a call that traps breaks the instance for good.
pub struct Instance {
    store: Store<Guest>,
    exports: Exports,
    digest: Digest,
    meter: Option<Meter>,
    call: Duration,
    row_wise: bool,
    calls: u32,
    broken: bool,
    // Last, so that the memory is given back before its place is.
    _slot: Slot,
}

struct Exports {
    meta: meta::Guest,
    transformer: transformer::Guest,
    fitter: Option<fitter::Guest>,
}

/// An answer inside wasmtime's result: the guest's own error inside the trap.
type Answer<T> = wasmtime::Result<Result<T, types::PluginError>>;

impl Instance {
    pub fn new(code: &Code, terms: &Terms<'_>, slot: Slot) -> Result<Self, PluginFailure> {
        let Terms { label, limits, .. } = terms;
        let memory_bytes_max = limits.memory_bytes_max.min(PLUGIN_MEMORY_BYTES_MAX);
        let traits = Traits {
            label,
            package: terms.package,
            output_bytes_max: limits.output_bytes_max,
            log_bytes_max: terms.log_bytes_max,
            seed: terms.seed,
        };
        let guest = Guest::new(&traits, Budget::new(memory_bytes_max, Arc::clone(terms.ledger)));
        let mut store = Store::new(code.pre.engine(), guest);
        store.limiter(|guest| &mut guest.budget);
        store.set_hostcall_fuel(limits.output_bytes_max);
        store.epoch_deadline_callback(|context| {
            let left = context.data().deadline.saturating_duration_since(Instant::now());
            Ok(if left.is_zero() { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(ticks(left)) })
        });
        start_clock(&mut store, limits.call);
        match instantiate(code, &mut store) {
            Ok(exports) => Ok(Self {
                store,
                exports,
                digest: *terms.digest,
                meter: terms.meter.clone(),
                call: limits.call,
                row_wise: terms.row_wise,
                calls: 0,
                broken: false,
                _slot: slot,
            }),
            Err(error) => Err(explain(store.data_mut(), "starting it", limits.call, &error)),
        }
    }

    pub fn describe(&mut self) -> Result<meta::Descriptor, PluginFailure> {
        self.call("describe", Load::default(), |store, exports| exports.meta.call_describe(store).map(Ok))
    }

    /// Binds config and columns; answers the output columns where they need no state.
    pub fn configure(
        &mut self,
        config: &str,
        input: &Schema,
        target: Option<&Field>,
    ) -> Result<Option<Schema>, PluginFailure> {
        let fields: Vec<_> = input.fields.iter().map(lower_field).collect();
        let (input, target) = (types::SchemaParam { fields: &fields }, target.map(lower_field));
        let load = Load { rows: 0, bytes: config.len() };
        let output =
            self.call("configure", load, |store, exports| exports.meta.call_configure(store, config, input, target))?;
        output.map(|schema| lift_schema(self.label(), schema)).transpose()
    }

    /// `rows` is the number of rows that the answer must have, where that is known.
    pub fn transform(
        &mut self,
        output: &Output,
        input: &LoweredBatch,
        rows: Option<usize>,
    ) -> Result<RecordBatch, PluginFailure> {
        let columns = input.params();
        let batch = input.param(&columns);
        self.store.data_mut().may_draw = !self.row_wise;
        let answer =
            self.call("transform", input.load(), |store, exports| exports.transformer.call_transform(store, batch));
        self.store.data_mut().may_draw = true;
        let lifted = answer.and_then(|answer| output.lift(self.label(), answer, rows));
        self.broken |= matches!(lifted, Err(PluginFailure::Fault { .. }));
        lifted
    }

    pub fn flush(&mut self, output: &Output) -> Result<Option<RecordBatch>, PluginFailure> {
        let answer = self.call("flush", Load::default(), |store, exports| exports.transformer.call_flush(store))?;
        answer.map(|answer| output.lift(self.label(), answer, None)).transpose()
    }

    pub fn partial_fit(&mut self, input: &LoweredBatch, target: Option<&LoweredColumn>) -> Result<(), PluginFailure> {
        let columns = input.params();
        let (batch, target) = (input.param(&columns), target.map(LoweredColumn::param));
        self.fitter("partial-fit", input.load(), |store, fitter| fitter.call_partial_fit(store, batch, target))
    }

    pub fn partial(&mut self) -> Result<Vec<u8>, PluginFailure> {
        let partial = self.fitter("partial", Load::default(), |store, fitter| fitter.call_partial(store))?;
        self.check_size("partial", partial)
    }

    pub fn merge(&mut self, partial: &[u8]) -> Result<(), PluginFailure> {
        self.fitter("merge", Load { rows: 0, bytes: partial.len() }, |store, fitter| fitter.call_merge(store, partial))
    }

    pub fn finish(&mut self) -> Result<(Schema, Vec<u8>), PluginFailure> {
        let (schema, state) = self.fitter("finish", Load::default(), |store, fitter| fitter.call_finish(store))?;
        Ok((lift_schema(self.label(), schema)?, self.check_size("state", state)?))
    }

    pub fn load(&mut self, state: &State) -> Result<Schema, PluginFailure> {
        let (version, load) = (state.reference.version, Load { rows: 0, bytes: state.bytes.len() });
        let schema = self.fitter("load", load, |store, fitter| fitter.call_load(store, &state.bytes, version))?;
        lift_schema(self.label(), schema)
    }

    /// Whether it may serve another call: unbroken, not too old, not too fat.
    pub fn is_reusable(&self, invocations_max: u32) -> bool {
        !self.broken && self.calls < invocations_max && self.store.data().budget.memory_bytes() <= WARM_MEMORY_BYTES_MAX
    }

    pub fn plugin(&self) -> &Digest {
        &self.digest
    }

    fn label(&self) -> &str {
        &self.store.data().label
    }

    fn fitter<T: Weight>(
        &mut self,
        export: &'static str,
        load: Load,
        run: impl FnOnce(&mut Store<Guest>, &fitter::Guest) -> Answer<T>,
    ) -> Result<T, PluginFailure> {
        if self.exports.fitter.is_none() {
            return Err(fault(self.label(), FaultKind::NotAPlugin, "it learns no state: it exports no fitter"));
        }
        self.call(export, load, |store, exports| match &exports.fitter {
            Some(fitter) => run(store, fitter),
            None => Err(wasmtime::Error::msg("the component exports no fitter")),
        })
    }

    fn call<T: Weight>(
        &mut self,
        export: &'static str,
        load: Load,
        run: impl FnOnce(&mut Store<Guest>, &Exports) -> Answer<T>,
    ) -> Result<T, PluginFailure> {
        let span = tracing::debug_span!(
            "plugin.call",
            plugin = self.store.data().label,
            digest = %self.digest,
            export,
            rows = load.rows,
            bytes_in = load.bytes,
            bytes_out = Empty,
            memory_bytes = Empty,
            fault = Empty,
        );
        let _entered = span.enter();
        self.calls += 1;
        let started = Instant::now();
        start_clock(&mut self.store, self.call);
        let ran = run(&mut self.store, &self.exports);
        let took = started.elapsed();
        let bytes_out = ran.as_ref().map_or(0, |answer| answer.as_ref().map_or(0, T::bytes));
        let answer = match ran {
            Ok(answer) => answer.map_err(|error| refused(self.label(), error)),
            Err(error) => {
                self.broken = true;
                Err(explain(self.store.data_mut(), export, self.call, &error))
            }
        };
        let fault = match &answer {
            Err(PluginFailure::Fault { kind, .. }) => Some(*kind),
            _ => None,
        };
        let memory_bytes = self.store.data().budget.memory_bytes();
        if !span.is_disabled() {
            span.record("bytes_out", bytes_out).record("memory_bytes", memory_bytes);
            if let Some(fault) = fault {
                span.record("fault", fault.as_str());
            }
        }
        if let Some(meter) = &self.meter {
            let Load { rows, bytes } = load;
            meter(&Call { export, rows, bytes_in: bytes, bytes_out, took, memory_bytes, fault });
        }
        answer
    }

    fn check_size(&self, what: &str, bytes: Vec<u8>) -> Result<Vec<u8>, PluginFailure> {
        if bytes.len() <= STATE_BYTES_MAX {
            return Ok(bytes);
        }
        let max = text::size(STATE_BYTES_MAX);
        Err(bad_output(self.label(), format!("answered a {what} of {} bytes; at most {max} are kept", bytes.len())))
    }
}

/// From now on the guest has this long.
fn start_clock(store: &mut Store<Guest>, call: Duration) {
    store.data_mut().deadline = Instant::now() + call.min(CALL_MAX);
    store.set_epoch_deadline(ticks(call));
}

fn instantiate(code: &Code, store: &mut Store<Guest>) -> wasmtime::Result<Exports> {
    let instance = code.pre.instantiate(&mut *store)?;
    let meta = code.meta.load(&mut *store, &instance)?;
    let transformer = code.transformer.load(&mut *store, &instance)?;
    let fitter = code.fitter.as_ref().map(|fitter| fitter.load(&mut *store, &instance)).transpose()?;
    Ok(Exports { meta, transformer, fitter })
}
