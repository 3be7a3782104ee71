use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tiegel_engine::{Binding, FitRows, Fitted, PluginFailure, PluginHost, State, Transformer};
use tiegel_types::{Digest, PluginDescriptor, Schema};

use crate::core::{Core, Purpose};
use crate::engine::HostConfig;
use crate::fit;
use crate::transformer::WarmTransformer;

/// Why the host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("the folder {} for compiled plugins cannot be used: {source}", dir.display())]
    Cache { dir: PathBuf, source: io::Error },
    #[error("the plugin engine does not start: {0}")]
    Engine(String),
    #[error("the thread that keeps plugin deadlines does not start: {0}")]
    Thread(io::Error),
}

/// Runs plugins in wasmtime.
pub struct WasmHost {
    pub(crate) core: Arc<Core>,
    /// By all that an instance is made of, so that the same one is asked for twice and made once.
    transformers: Mutex<HashMap<Digest, Weak<WarmTransformer>>>,
}

impl WasmHost {
    /// # Errors
    /// When the cache folder cannot be written or the engine does not start on this machine.
    pub fn new(config: &HostConfig) -> Result<Self, HostError> {
        Ok(Self { core: Arc::new(Core::new(config)?), transformers: Mutex::default() })
    }
}

impl PluginHost for WasmHost {
    fn install(&self, wasm: &[u8]) -> Result<PluginDescriptor, PluginFailure> {
        Ok(self.core.install(wasm)?.descriptor.clone())
    }

    fn is_installed(&self, plugin: &Digest) -> bool {
        self.core.plugin(plugin).is_some()
    }

    fn output_schema(&self, binding: &Binding) -> Result<Option<Schema>, PluginFailure> {
        let plugin = self.core.require(binding)?;
        let slot = self.core.room(&binding.image.label)?;
        let purpose = Purpose { fitting: true, state: None, seed: b"schema" };
        let (_, output) = self.core.bind(&plugin, binding, &purpose, slot)?;
        Ok(output)
    }

    fn partial(&self, binding: &Binding, chunk: u64, rows: &FitRows) -> Result<Vec<u8>, PluginFailure> {
        fit::partial(&self.core, binding, chunk, rows)
    }

    fn finish(&self, binding: &Binding, partials: &[Vec<u8>]) -> Result<Fitted, PluginFailure> {
        fit::finish(&self.core, binding, partials)
    }

    fn transformer(&self, binding: &Binding, state: Option<State>) -> Result<Arc<dyn Transformer>, PluginFailure> {
        let key = key(binding, state.as_ref());
        if let Some(transformer) = self.transformers.lock().get(&key).and_then(Weak::upgrade) {
            return Ok(transformer);
        }
        let transformer = Arc::new(WarmTransformer::new(&self.core, binding, state)?);
        let mut transformers = self.transformers.lock();
        transformers.retain(|_, transformer| transformer.strong_count() > 0);
        transformers.insert(key, Arc::downgrade(&transformer));
        Ok(transformer)
    }
}

/// All that an instance is made of. The label is part of it because errors speak of it.
fn key(binding: &Binding, state: Option<&State>) -> Digest {
    let Binding { image, config, input, target: _, limits } = binding;
    Digest::of_json(&serde_json::json!({
        "plugin": image.digest,
        "label": image.label,
        "config": config,
        "input": input,
        "state": state.map(|state| &state.reference),
        "limits": [limits.call.as_micros() as u64, limits.memory_bytes_max as u64, limits.output_bytes_max as u64],
    }))
}
