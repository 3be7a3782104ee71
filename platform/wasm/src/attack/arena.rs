use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, Float32Array, RecordBatch};
use tiegel_engine::{
    Binding, FitRows, PluginFailure, PluginHost, PluginImage, PluginLimits, State, Transformer, arrow_schema,
};
use tiegel_types::{DType, Digest, Field, Schema, StateRef};

use super::guest::{Export, Guest};
use super::{Attack, AttackError, CALL, OVERRUN_MAX, Outcome, Ran, shown, wrong};
use crate::clock::cpu_time;
use crate::manifest::{Build, Capabilities, Language, Limits, Manifest, Reuse, World};
use crate::package::Package;
use crate::{HostConfig, WasmHost};

/// A host under attack, and a plugin on it that behaves.
pub struct Arena {
    pub config: HostConfig,
    pub host: WasmHost,
    neighbour: Arc<dyn Transformer>,
    pub rows: RecordBatch,
}

impl Arena {
    pub fn new(config: &HostConfig) -> Result<Self, AttackError> {
        let host = WasmHost::new(config)?;
        let rows = four_rows();
        let neighbour = Guest { name: "neighbour".to_owned(), ..Guest::default() };
        let binding = bind(&host, &packaged(&neighbour), &schema())?;
        let neighbour = host.transformer(&binding, None)?;
        let arena = Self { config: config.clone(), host, neighbour, rows };
        arena.check_neighbour()?;
        Ok(arena)
    }

    pub fn run(&self, attack: Attack<'_>) -> Outcome {
        let Ran { result, took, cpu } = (attack.run)(self);
        let neighbour = self.check_neighbour();
        let in_time = cpu <= CALL + OVERRUN_MAX;
        let outcome = match &neighbour {
            Err(failure) => format!("{}; then {failure}", shown(&result)),
            Ok(()) if !in_time => format!("took {} ms of processor time: {}", cpu.as_millis(), shown(&result)),
            Ok(()) => shown(&result),
        };
        let contained = attack.expect.holds(&result) && neighbour.is_ok() && in_time;
        Outcome { attack: attack.name, expected: attack.expect.as_str(), outcome, took, contained }
    }

    /// Installs a guest and calls each of its exports that is not the host's business at installation.
    pub fn call(&self, guest: &Guest, export: Export) -> Ran {
        let wasm = packaged(guest);
        match bind(&self.host, &wasm, &schema()) {
            Ok(binding) => timed(|| self.exercise(&binding, export)),
            Err(failure) => Ran::untimed(Err(failure)),
        }
    }

    /// Installs a component. What counts is the second time, for which the code lies ready.
    pub fn install(&self, wasm: &[u8]) -> Ran {
        let result = self.host.install(wasm).map(drop);
        let again = timed(|| {
            self.host.is_installed(&Digest::of(wasm));
            Ok(())
        });
        Ran { result, ..again }
    }

    fn exercise(&self, binding: &Binding, export: Export) -> Result<(), PluginFailure> {
        let transformer = |state| self.host.transformer(binding, state);
        match export {
            Export::Describe => Ok(()),
            Export::Configure => self.host.output_schema(binding).map(drop),
            Export::Transform => transformer(None)?.transform(&self.rows).map(drop),
            Export::Flush => {
                let mut rows = std::iter::once(Ok(self.rows.clone()));
                transformer(None)?.transform_all(&mut rows, &mut |_| Ok(()))
            }
            Export::PartialFit | Export::Partial => {
                let rows = FitRows { batches: vec![self.rows.clone()], targets: None };
                self.host.partial(binding, 0, &rows).map(drop)
            }
            Export::Merge | Export::Finish => self.host.finish(binding, &[b"partial".to_vec()]).map(drop),
            Export::Load => transformer(Some(state(b"forged")))?.transform(&self.rows).map(drop),
        }
    }

    fn check_neighbour(&self) -> Result<(), PluginFailure> {
        let answer = self.neighbour.transform(&self.rows)?;
        if answer == self.rows { Ok(()) } else { Err(wrong("the neighbour answers other rows than before")) }
    }
}

pub fn timed(work: impl FnOnce() -> Result<(), PluginFailure>) -> Ran {
    let (started, on_cpu) = (Instant::now(), cpu_time());
    let result = work();
    let took = started.elapsed();
    let cpu = cpu_time().zip(on_cpu).map_or(took, |(now, then)| now.saturating_sub(then));
    Ran { result, took, cpu }
}

/// The column that all built-in attacks read.
pub fn schema() -> Schema {
    Schema::new(vec![Field { nullable: true, ..Field::new("x", DType::Float32) }])
}

pub fn bind(host: &WasmHost, wasm: &[u8], input: &Schema) -> Result<Binding, PluginFailure> {
    let descriptor = host.install(wasm)?;
    let label = format!("{}@{}", descriptor.name, descriptor.version);
    Ok(Binding {
        image: PluginImage { digest: Digest::of(wasm), label },
        config: serde_json::json!({}),
        input: input.clone(),
        target: None,
        limits: PluginLimits { call: CALL, ..PluginLimits::default() },
    })
}

pub fn state(bytes: &[u8]) -> State {
    let reference = StateRef { digest: Digest::of(bytes), version: 1, bytes: bytes.len() as u64 };
    State { reference, bytes: bytes.into() }
}

/// The guest with a manifest, whose deadline holds at installation too.
pub fn packaged(guest: &Guest) -> Vec<u8> {
    let package = Package::new(manifest(guest), [].into()).expect("the manifest names no files");
    package.embed(&guest.component())
}

pub fn manifest(guest: &Guest) -> Manifest {
    Manifest {
        name: guest.name.clone(),
        version: guest.version.clone(),
        world: World::Estimator,
        summary: "made by hand".to_owned(),
        license: None,
        build: Build { language: Language::Rust, entry: None },
        capabilities: Capabilities::default(),
        limits: Limits { wall_ms: Some(CALL.as_millis() as u32), ..Limits::default() },
        reuse: Reuse::default(),
    }
}

fn four_rows() -> RecordBatch {
    let column: ArrayRef = Arc::new(Float32Array::from(vec![1.0, 2.0, 3.0, 4.0]));
    debug_assert_eq!(column.len(), 4);
    RecordBatch::try_new(arrow_schema(&schema()), vec![column]).expect("the column has the schema's type")
}
