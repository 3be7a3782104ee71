//! What broken input does to a plugin: well-formed input must be answered or refused, for all else the host must hold.

use std::sync::Arc;

use arrow::array::RecordBatch;
use serde_json::{Value, json};
use tiegel_engine::{
    Binding, FaultKind, FitRows, PluginFailure, PluginHost, PluginImage, PluginLimits, State, Transformer,
};
use tiegel_types::{DType, Digest, Field, Schema, StateRef};

use super::arena::{Arena, timed};
use super::{Attack, AttackError, Expect, Ran, Target, inputs};
use crate::core::Purpose;
use crate::lift::Output;
use crate::lower::{LoweredBatch, LoweredColumn};

/// Places at which a state is cut, and at which a bit of it is turned.
const STATE_CUTS: usize = 40;

/// Columns that are tried where none were named.
const DTYPES: [DType; 8] = [
    DType::Float32,
    DType::Float64,
    DType::Int64,
    DType::Utf8,
    DType::Boolean,
    DType::TimestampUs,
    DType::Date32,
    DType::Binary,
];

/// A plugin on one of the column types that it takes, with a state where it needs one.
pub struct Victim {
    bindings: Vec<(String, Binding)>,
}

impl Victim {
    /// # Errors
    /// When it cannot be installed, or refuses the config with all columns.
    pub fn new(arena: &Arena, target: &Target<'_>) -> Result<Self, AttackError> {
        let descriptor = arena.host.install(target.wasm)?;
        let label = format!("{}@{}", descriptor.name, descriptor.version);
        let bind = |input: Schema| Binding {
            image: PluginImage { digest: Digest::of(target.wasm), label: label.clone() },
            config: target.config.clone(),
            input,
            target: None,
            limits: PluginLimits::default(),
        };
        if let Some(input) = &target.input {
            let binding = bind(input.clone());
            arena.host.output_schema(&binding)?;
            return Ok(Self { bindings: vec![("columns as given".to_owned(), binding)] });
        }
        let mut refusal = None;
        let mut bindings = Vec::new();
        for dtype in DTYPES {
            let field = Field { nullable: true, ..Field::new("x", dtype) };
            let binding = bind(Schema::new(vec![field]));
            match arena.host.output_schema(&binding) {
                Ok(_) => bindings.push((dtype.to_string(), binding)),
                Err(failure) => refusal = Some(failure),
            }
        }
        match refusal {
            Some(refusal) if bindings.is_empty() => Err(refusal.into()),
            _ => Ok(Self { bindings }),
        }
    }

    pub fn attacks(&self) -> Vec<Attack<'_>> {
        let mut attacks: Vec<_> = self.bindings.iter().flat_map(|(name, binding)| batches(name, binding)).collect();
        if let Some((_, binding)) = self.bindings.first() {
            attacks.extend(configs(binding));
            attacks.extend(schemas(binding));
            attacks.push(attack("forged states".to_owned(), Expect::Contained, |arena| forge(arena, binding)));
        }
        attacks
    }
}

/// An attack on a plugin whose calls may take as long as any plugin's.
fn attack<'a>(name: String, expect: Expect, run: impl Fn(&Arena) -> Result<(), PluginFailure> + 'a) -> Attack<'a> {
    Attack::new(name, expect, move |arena| {
        let ran = timed(|| run(arena));
        Ran { cpu: ran.cpu.saturating_sub(PluginLimits::default().call), ..ran }
    })
}

fn batches<'a>(name: &str, binding: &'a Binding) -> Vec<Attack<'a>> {
    let input = &binding.input;
    let mut batches = vec![("ordinary values", inputs::plain(input)), ("extreme values", inputs::extreme(input))];
    batches.extend(inputs::nulls(input).map(|nulls| ("nulls only", nulls)));
    let mut attacks: Vec<_> = batches
        .into_iter()
        .map(|(what, batch)| {
            attack(format!("{name}: {what}"), Expect::Answered, move |arena| transform(arena, binding, &batch))
        })
        .collect();
    if let [field] = &input.fields[..] {
        let dtype = field.dtype;
        for (index, (what, _)) in inputs::malformed(dtype).into_iter().enumerate() {
            attacks.push(attack(format!("{name}: {what}"), Expect::Contained, move |arena| {
                let (_, buffers) = inputs::malformed(dtype).swap_remove(index);
                let column = LoweredColumn::raw(buffers.data, buffers.validity, buffers.offsets);
                raw(arena, binding, &LoweredBatch::raw(inputs::ROWS, vec![column]))
            }));
        }
    }
    attacks
}

fn configs(binding: &Binding) -> Vec<Attack<'_>> {
    let nested = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let configs: [(&str, Value); 6] = [
        ("config: null", Value::Null),
        ("config: a number", json!(1e308)),
        ("config: lists nested 100 deep", nested),
        ("config: an unknown key with terminal escapes", json!({ "\u{1b}[2J": "\u{202e}" })),
        ("config: a text of 1,000,000 bytes", json!({ "x": "y".repeat(1_000_000) })),
        ("config: 10,000 keys", (0..10_000).map(|i| (format!("k{i}"), json!(i))).collect()),
    ];
    let attacks = configs.into_iter().map(|(name, config)| {
        attack(name.to_owned(), Expect::Answered, move |arena| {
            let binding = Binding { config: config.clone(), ..binding.clone() };
            arena.host.output_schema(&binding).map(drop)
        })
    });
    attacks.collect()
}

fn schemas(binding: &Binding) -> Vec<Attack<'_>> {
    let named = |name: String| Field::new(name, DType::Float32);
    let schemas: [(&str, Vec<Field>); 5] = [
        ("columns: none", vec![]),
        ("columns: 10,000", (0..10_000).map(|i| named(format!("x{i}"))).collect()),
        ("columns: two of one name", vec![named("x".to_owned()), named("x".to_owned())]),
        ("columns: a name of 1 MiB", vec![named("n".repeat(1 << 20))]),
        ("columns: bfloat16 of width 1 million", vec![Field { width: 1 << 20, ..Field::new("x", DType::Bfloat16) }]),
    ];
    let attacks = schemas.into_iter().map(|(name, fields)| {
        // What the host makes of the answer is the host's; a table that cannot be is not the plugin's fault here.
        attack(name.to_owned(), Expect::Contained, move |arena| {
            let binding = Binding { input: Schema::new(fields.clone()), ..binding.clone() };
            arena.host.output_schema(&binding).map(drop)
        })
    });
    attacks.collect()
}

fn transform(arena: &Arena, binding: &Binding, batch: &RecordBatch) -> Result<(), PluginFailure> {
    let transformer = arena.host.transformer(binding, fitted(arena, binding)?)?;
    if transformer.row_wise() {
        return transformer.transform(batch).map(drop);
    }
    transformer.transform_all(&mut std::iter::once(Ok(batch.clone())), &mut |_| Ok(()))
}

/// Buffers as they are, past all that the host checks.
fn raw(arena: &Arena, binding: &Binding, batch: &LoweredBatch) -> Result<(), PluginFailure> {
    let core = &arena.host.core;
    let (plugin, state) = (core.require(binding)?, fitted(arena, binding)?);
    let purpose = Purpose { fitting: false, state: state.as_ref(), seed: b"attack" };
    let (mut instance, output) = core.bind(&plugin, binding, &purpose, core.room(&binding.image.label)?)?;
    match output {
        Some(output) => instance.transform(&Output::new(output), batch, None).map(drop),
        None => Ok(()),
    }
}

/// A state from ordinary values, for a plugin that learns one.
fn fitted(arena: &Arena, binding: &Binding) -> Result<Option<State>, PluginFailure> {
    if !arena.host.core.require(binding)?.descriptor.fits {
        return Ok(None);
    }
    let rows = FitRows { batches: vec![inputs::plain(&binding.input)], targets: None };
    let partial = arena.host.partial(binding, 0, &rows)?;
    let fitted = arena.host.finish(binding, &[partial])?;
    Ok(Some(state(&fitted.state, fitted.state_version)))
}

fn state(bytes: &[u8], version: u32) -> State {
    let reference = StateRef { digest: Digest::of(bytes), version, bytes: bytes.len() as u64 };
    State { reference, bytes: bytes.into() }
}

/// A state that is cut, of other versions, with a bit turned, and bytes that never were one.
fn forge(arena: &Arena, binding: &Binding) -> Result<(), PluginFailure> {
    let Some(honest) = fitted(arena, binding)? else { return Ok(()) };
    let (bytes, version) = (honest.bytes.to_vec(), honest.reference.version);
    let mut forged =
        vec![state(&[], version), state(&[0xff; 1 << 16], version), state(&bytes, version.wrapping_add(1))];
    for part in 0..STATE_CUTS.min(bytes.len()) {
        let at = bytes.len() * part / STATE_CUTS.min(bytes.len());
        forged.push(state(&bytes[..at], version));
        let mut turned = bytes.clone();
        turned[at] ^= 1 << (part % 8);
        forged.push(state(&turned, version));
    }
    let rows = inputs::plain(&binding.input);
    for state in forged {
        let tried = arena.host.transformer(binding, Some(state));
        let tried = tried.and_then(|transformer: Arc<dyn Transformer>| transformer.transform(&rows));
        if let Err(failure @ PluginFailure::Fault { kind: FaultKind::Host | FaultKind::Timeout, .. }) = tried {
            return Err(failure);
        }
    }
    Ok(())
}
