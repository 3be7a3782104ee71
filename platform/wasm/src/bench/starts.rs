use std::time::Duration;

use tiegel_engine::{Binding, PluginFailure, PluginHost, PluginImage, PluginLimits, State};
use tiegel_types::{DType, Digest, Field, Schema};

use super::{Spread, host_fault, timed};
use crate::attack::inputs;
use crate::{HostConfig, WasmHost};

/// Columns that are tried until the plugin takes one.
const DTYPES: [DType; 4] = [DType::Float32, DType::Utf8, DType::TimestampUs, DType::Int64];

/// What it takes until a plugin answers.
#[derive(Clone, Debug)]
pub struct Starts {
    /// `name@version`.
    pub plugin: String,
    /// From compiled code on disk to a plugin that described itself: reading, checking and mapping it.
    pub load: Spread,
    /// A fresh instance, its configuration and state, and the first batch.
    pub first_call: Spread,
}

/// Measures a plugin on hosts of this configuration.
///
/// # Errors
/// When it fails, or takes none of the columns.
pub fn starts(config: &HostConfig, wasm: &[u8], repeats: usize) -> Result<Starts, PluginFailure> {
    let new_host = || WasmHost::new(config).map_err(|error| host_fault(error.to_string()));
    let host = new_host()?;
    let descriptor = host.install(wasm)?;
    let label = format!("{}@{}", descriptor.name, descriptor.version);
    let digest = Digest::of(wasm);
    let mut load = Vec::new();
    for _ in 0..repeats.min(20) {
        let fresh = new_host()?;
        let (took, is_there) = timed(|| fresh.is_installed(&digest));
        if !is_there {
            return Err(host_fault("its compiled code is gone".to_owned()));
        }
        load.push(took);
    }
    let image = PluginImage { digest, label: label.clone() };
    let binding = accepted(&host, &image)?;
    let rows = inputs::plain(&binding.input);
    let state = if descriptor.fits { Some(fit(&host, &binding)?) } else { None };
    let mut first_call = Vec::new();
    for _ in 0..repeats {
        let (took, answer) = timed(|| {
            let transformer = host.transformer(&binding, state.clone())?;
            let answer = transformer.transform_all(&mut std::iter::once(Ok(rows.clone())), &mut |_| Ok(()));
            // Handed out, so that dropping the instance does not count.
            answer.map(|()| transformer)
        });
        answer?;
        first_call.push(took);
    }
    Ok(Starts { plugin: label, load: Spread::of(load), first_call: Spread::of(first_call) })
}

fn accepted(host: &WasmHost, image: &PluginImage) -> Result<Binding, PluginFailure> {
    let bind = |dtype| Binding {
        image: image.clone(),
        config: serde_json::json!({}),
        input: Schema::new(vec![Field { nullable: true, ..Field::new("x", dtype) }]),
        target: None,
        limits: PluginLimits { call: Duration::from_secs(30), ..PluginLimits::default() },
    };
    let mut accepted = DTYPES.into_iter().map(bind).filter(|binding| host.output_schema(binding).is_ok());
    accepted.next().ok_or_else(|| host_fault("it takes none of the columns that are tried".to_owned()))
}

fn fit(host: &WasmHost, binding: &Binding) -> Result<State, PluginFailure> {
    let rows = tiegel_engine::FitRows { batches: vec![inputs::plain(&binding.input)], targets: None };
    let fitted = host.finish(binding, &[host.partial(binding, 0, &rows)?])?;
    let bytes = fitted.state.len() as u64;
    let reference = tiegel_types::StateRef { digest: Digest::of(&fitted.state), version: fitted.state_version, bytes };
    Ok(State { reference, bytes: fitted.state.into() })
}
