use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tiegel_engine::{Binding, FaultKind, PluginFailure, PluginLimits, State};
use tiegel_types::{Digest, Hasher, PluginDescriptor, Schema, limits};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, Linker};

use crate::bindings::Contract;
use crate::budget::Ledger;
use crate::cache::Cache;
use crate::call::Meters;
use crate::compile::{self, CompileError, Compiler};
use crate::component::{Code, Shape};
use crate::descriptor::lift_descriptor;
use crate::engine::{self, HostConfig, Ticker};
use crate::fault::{bad_output, fault};
use crate::guest::Guest;
use crate::host::HostError;
use crate::instance::{Instance, Terms};
use crate::manifest::Policy;
use crate::package::Package;
use crate::slots::{Reclaimer, Slot, Slots};
use crate::text;

/// Components whose code stays mapped; the one used longest ago makes room.
const COMPONENTS_LOADED_MAX: usize = 256;

/// A component that is ready to be instantiated, and what it says of itself.
pub struct Plugin {
    pub digest: Digest,
    pub descriptor: PluginDescriptor,
    code: Code,
    package: Arc<Package>,
    ledger: Arc<Ledger>,
}

impl Plugin {
    /// What a call may use: what the caller allows, or what the plugin's manifest allows where that is less.
    pub fn limits(&self, asked: &PluginLimits) -> PluginLimits {
        lowered(&self.package, asked)
    }

    /// Whether an instance may serve another call.
    pub fn is_warm(&self) -> bool {
        self.package.manifest().is_none_or(|manifest| manifest.reuse.policy == Policy::Warm)
    }
}

/// What all instances share.
pub struct Core {
    pub slots: Arc<Slots>,
    pub invocations_max: u32,
    engine: Engine,
    linker: Linker<Guest>,
    cache: Cache,
    compiler: Compiler,
    meters: Option<Meters>,
    plugin_memory_bytes_max: usize,
    /// By plugin; a plugin that is loaded anew finds the one of its instances that still live.
    ledgers: Mutex<HashMap<Digest, Weak<Ledger>>>,
    /// The last used one last.
    loaded: Mutex<Vec<Arc<Plugin>>>,
    /// One compilation at a time: Cranelift uses all cores by itself.
    compiling: Mutex<()>,
    _ticker: Ticker,
    _reclaimer: Reclaimer,
}

/// What makes the difference between two instances of one binding.
pub struct Purpose<'a> {
    /// The target is shown to a plugin that fits, never to one that transforms.
    pub fitting: bool,
    pub state: Option<&'a State>,
    /// Names the random numbers: a chunk's number, or where there is none, a word.
    pub seed: &'a [u8],
}

impl Core {
    pub fn new(config: &HostConfig) -> Result<Self, HostError> {
        let engine = engine::engine(config.instances_max).map_err(|e| HostError::Engine(format!("{e:#}")))?;
        let mut linker = Linker::new(&engine);
        Contract::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)
            .map_err(|e| HostError::Engine(format!("{e:#}")))?;
        let cache_error = |source| HostError::Cache { dir: config.cache_dir.clone(), source };
        let slots = Slots::new(config.instances_max, config.instance_wait);
        Ok(Self {
            _reclaimer: Reclaimer::start(&slots, config.idle_max).map_err(HostError::Thread)?,
            slots,
            compiler: config.compiler.clone(),
            meters: config.meters.clone(),
            plugin_memory_bytes_max: config.plugin_memory_bytes_max,
            ledgers: Mutex::default(),
            invocations_max: config.invocations_max,
            cache: Cache::open(&config.cache_dir, &engine).map_err(cache_error)?,
            _ticker: Ticker::start(&engine).map_err(HostError::Thread)?,
            loaded: Mutex::default(),
            compiling: Mutex::default(),
            engine,
            linker,
        })
    }

    /// Compiles a component unless its code is at hand.
    pub fn install(&self, wasm: &[u8]) -> Result<Arc<Plugin>, PluginFailure> {
        let digest = Digest::of(wasm);
        let label = digest.short();
        let not_a_plugin = |why: String| fault(&label, FaultKind::NotAPlugin, why);
        if wasm.len() > limits::PLUGIN_BYTES_MAX {
            let max = text::size(limits::PLUGIN_BYTES_MAX);
            return Err(not_a_plugin(format!("it has {} bytes; at most {max} are allowed", wasm.len())));
        }
        let package = read_package(wasm).map_err(not_a_plugin)?;
        let _one_at_a_time = self.compiling.lock();
        if let Some(plugin) = self.plugin(&digest) {
            return Ok(plugin);
        }
        let _span = tracing::info_span!("plugin.compile", plugin = label, bytes = wasm.len()).entered();
        let compiled = self.compiler.compile(&self.engine, wasm).map_err(|error| match error {
            CompileError::Component(why) => not_a_plugin(why),
            CompileError::Host(_) => fault(&label, FaultKind::Host, error.to_string()),
        })?;
        let stored = self.cache.store(&digest, &compiled, &package);
        stored.map_err(|error| fault(&label, FaultKind::Host, format!("its code cannot be stored: {error}")))?;
        let loaded = self.cache.load(&self.engine, &digest).map_err(|error| not_a_plugin(compile::explain(&error)))?;
        let loaded = loaded.ok_or_else(|| fault(&label, FaultKind::Host, "its stored code cannot be read back"))?;
        self.open(digest, loaded)
    }

    /// A component whose compiled code is in memory or on disk. Never compiles.
    pub fn plugin(&self, digest: &Digest) -> Option<Arc<Plugin>> {
        if let Some(plugin) = self.recall(digest) {
            return Some(plugin);
        }
        let loaded = self.cache.load(&self.engine, digest);
        let loaded = loaded.inspect_err(|error| tracing::warn!(%error, "compiled plugin code does not load"));
        let opened = self.open(*digest, loaded.ok()??);
        opened.inspect_err(|error| tracing::warn!(%error, "an installed plugin does not start")).ok()
    }

    /// The component of a binding.
    pub fn require(&self, binding: &Binding) -> Result<Arc<Plugin>, PluginFailure> {
        self.plugin(&binding.image.digest).ok_or_else(|| {
            let message = format!("its code ({}) is not installed on this server", binding.image.digest.short());
            fault(&binding.image.label, FaultKind::Host, message)
        })
    }

    /// A slot for one more instance, waited for.
    pub fn room(&self, label: &str) -> Result<Slot, PluginFailure> {
        self.slots.room().ok_or_else(|| self.saturated(label))
    }

    pub fn saturated(&self, label: &str) -> PluginFailure {
        let (max, seconds) = (self.slots.max(), self.slots.wait().as_secs_f32());
        fault(label, FaultKind::Host, format!("all {max} plugin instances of this server were busy for {seconds} s"))
    }

    /// An instance that is configured and holds its state; with its output columns, where they are known.
    pub fn bind(
        &self,
        plugin: &Plugin,
        binding: &Binding,
        purpose: &Purpose<'_>,
        slot: Slot,
    ) -> Result<(Instance, Option<Schema>), PluginFailure> {
        let Purpose { fitting, state, seed } = purpose;
        let label = binding.image.label.as_str();
        let config = binding.config.to_string();
        if config.len() > limits::PLUGIN_CONFIG_BYTES_MAX {
            let max = text::size(limits::PLUGIN_CONFIG_BYTES_MAX);
            return Err(fault(label, FaultKind::Host, format!("its config is larger than {max}")));
        }
        self.make_room(plugin);
        let limits = plugin.limits(&binding.limits);
        let terms = Terms {
            label,
            digest: &plugin.digest,
            limits: &limits,
            log_bytes_max: log_bytes_max(&plugin.package),
            package: &plugin.package,
            ledger: &plugin.ledger,
            meter: self.meters.as_ref().map(|meters| meters(label)),
            seed: seed_of(&plugin.digest, &binding.config, seed),
            row_wise: plugin.descriptor.row_wise,
        };
        let mut instance = Instance::new(&plugin.code, &terms, slot)?;
        let target = binding.target.as_ref().filter(|_| *fitting);
        let declared = instance.configure(&config, &binding.input, target)?;
        let Some(state) = state else { return Ok((instance, declared)) };
        let output = instance.load(state)?;
        if declared.is_some_and(|declared| declared != output) {
            return Err(bad_output(label, "load declares other output columns than configure"));
        }
        Ok((instance, Some(output)))
    }

    fn open(&self, digest: Digest, (component, package): (Component, Package)) -> Result<Arc<Plugin>, PluginFailure> {
        let label = digest.short();
        let not_a_plugin = |error: wasmtime::Error| fault(&label, FaultKind::NotAPlugin, compile::explain(&error));
        let code = self.linker.instantiate_pre(&component).and_then(Code::new).map_err(not_a_plugin)?;
        let (package, ledger) = (Arc::new(package), self.ledger(&digest));
        let limits = lowered(&package, &PluginLimits::default());
        let terms = Terms {
            label: &label,
            digest: &digest,
            limits: &limits,
            log_bytes_max: log_bytes_max(&package),
            package: &package,
            ledger: &ledger,
            meter: None,
            seed: [0; 32],
            row_wise: true,
        };
        let said = Instance::new(&code, &terms, self.room(&label)?)?.describe()?;
        let descriptor = lift_descriptor(&label, said, code.fitter.is_some())?;
        check_manifest(&label, &package, &descriptor)?;
        let plugin = Arc::new(Plugin { digest, descriptor, code, package, ledger });
        self.remember(&plugin);
        Ok(plugin)
    }

    fn ledger(&self, plugin: &Digest) -> Arc<Ledger> {
        let mut ledgers = self.ledgers.lock();
        if let Some(ledger) = ledgers.get(plugin).and_then(Weak::upgrade) {
            return ledger;
        }
        let ledger = Arc::new(Ledger::new(self.plugin_memory_bytes_max));
        ledgers.retain(|_, ledger| ledger.strong_count() > 0);
        ledgers.insert(*plugin, Arc::downgrade(&ledger));
        ledger
    }

    /// Before one more instance starts: where a plugin holds more than half of its memory, its idle instances go.
    fn make_room(&self, plugin: &Plugin) {
        if plugin.ledger.bytes() > plugin.ledger.bytes_max() / 2 {
            self.slots.forget_plugin(&plugin.digest);
        }
    }

    fn recall(&self, digest: &Digest) -> Option<Arc<Plugin>> {
        let mut loaded = self.loaded.lock();
        let index = loaded.iter().position(|plugin| plugin.digest == *digest)?;
        let plugin = loaded.remove(index);
        loaded.push(Arc::clone(&plugin));
        Some(plugin)
    }

    fn remember(&self, plugin: &Arc<Plugin>) {
        let mut loaded = self.loaded.lock();
        loaded.retain(|other| other.digest != plugin.digest);
        if loaded.len() >= COMPONENTS_LOADED_MAX {
            loaded.remove(0);
        }
        loaded.push(Arc::clone(plugin));
    }
}

fn seed_of(plugin: &Digest, config: &serde_json::Value, purpose: &[u8]) -> [u8; 32] {
    let mut hasher = Hasher::default();
    hasher.update(plugin.as_bytes());
    hasher.update(Digest::of_json(config).as_bytes());
    hasher.update(purpose);
    *hasher.finish().as_bytes()
}

/// What a component carries, if that fits what it imports and exports.
fn read_package(wasm: &[u8]) -> Result<Package, String> {
    let shape = Shape::of(wasm)?;
    let package = Package::read(wasm).map_err(|error| error.to_string())?;
    if let Some(manifest) = package.manifest() {
        shape.is_of_world(manifest.world)?;
    }
    Ok(package)
}

/// A plugin is called what its manifest calls it, so that whoever read the manifest knows what runs.
fn check_manifest(label: &str, package: &Package, descriptor: &PluginDescriptor) -> Result<(), PluginFailure> {
    let Some(manifest) = package.manifest() else { return Ok(()) };
    if (&manifest.name, &manifest.version) == (&descriptor.name, &descriptor.version) {
        return Ok(());
    }
    let said = format!("{}@{}", descriptor.name, descriptor.version);
    let written = format!("{}@{}", manifest.name, manifest.version);
    Err(bad_output(label, format!("describes itself as {said}, but its manifest says {written}")))
}

fn lowered(package: &Package, asked: &PluginLimits) -> PluginLimits {
    let limits = package.manifest().map(|manifest| manifest.limits.clone()).unwrap_or_default();
    let bytes = |mib: Option<u32>| mib.map_or(usize::MAX, |mib| (mib as usize).saturating_mul(1 << 20));
    let call = limits.wall_ms.map_or(Duration::MAX, |millis| Duration::from_millis(millis.into()));
    PluginLimits {
        call: asked.call.min(call),
        memory_bytes_max: asked.memory_bytes_max.min(bytes(limits.memory_mib)),
        output_bytes_max: asked.output_bytes_max.min(bytes(limits.output_mib)),
    }
}

fn log_bytes_max(package: &Package) -> usize {
    let kib = package.manifest().and_then(|manifest| manifest.limits.log_kib);
    kib.map_or(usize::MAX, |kib| (kib as usize).saturating_mul(1 << 10))
}

#[cfg(test)]
mod tests;
