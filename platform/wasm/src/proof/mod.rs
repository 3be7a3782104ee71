//! What a plugin's author wants to know before others use it: it answers what its cases say, and what every plugin
//! promises holds on tables that nobody thought of.

mod case;
mod properties;
mod split;

use std::sync::Arc;

use arrow::array::RecordBatch;
use serde_json::json;
use tiegel_engine::{
    Binding, FitRows, Fitted, PluginFailure, PluginHost, PluginImage, PluginLimits, State, Transformer,
};
use tiegel_types::{DType, Digest, Field, Schema, StateRef};

use crate::WasmHost;

pub use case::Case;
pub use split::{bytes, cut, joined};

/// Columns that are tried for a plugin without cases.
const DTYPES: [DType; 6] =
    [DType::Float64, DType::Float32, DType::Int64, DType::Utf8, DType::TimestampUs, DType::Binary];

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Check {
    pub case: String,
    pub check: String,
    /// What was found instead.
    pub failure: Option<String>,
    /// A case that shows the failure again.
    pub replay: Option<Case>,
}

/// A plugin on the columns and the config of a case, fitted where it learns.
pub struct Subject<'a> {
    host: &'a WasmHost,
    binding: Binding,
    fits: bool,
    fit: RecordBatch,
    state: Option<State>,
}

impl<'a> Subject<'a> {
    /// # Errors
    /// When the plugin cannot be installed, refuses the config or the columns, or does not fit.
    pub fn new(host: &'a WasmHost, wasm: &[u8], case: &Case) -> Result<Self, PluginFailure> {
        let descriptor = host.install(wasm)?;
        let label = format!("{}@{}", descriptor.name, descriptor.version);
        let image = PluginImage { digest: Digest::of(wasm), label };
        let (config, input) = (case.config.clone(), case.schema());
        let binding = Binding { image, config, input, target: None, limits: PluginLimits::default() };
        host.output_schema(&binding)?;
        let fit = case.fit_rows(&binding)?;
        let mut subject = Self { host, binding, fits: descriptor.fits, fit, state: None };
        if subject.fits {
            subject.state = Some(state(&subject.learn(std::slice::from_ref(&subject.fit))?));
        }
        Ok(subject)
    }

    /// What these chunks teach.
    fn learn(&self, chunks: &[RecordBatch]) -> Result<Fitted, PluginFailure> {
        let partial = |(number, rows): (usize, &RecordBatch)| {
            let rows = FitRows { batches: vec![rows.clone()], targets: None };
            self.host.partial(&self.binding, number as u64, &rows)
        };
        let partials = chunks.iter().enumerate().map(partial).collect::<Result<Vec<_>, _>>()?;
        self.host.finish(&self.binding, &partials)
    }

    /// A pool without instances: its first call is a fresh one's.
    fn fresh(&self) -> Result<Arc<dyn Transformer>, PluginFailure> {
        self.host.transformer(&self.binding, self.state.clone())
    }
}

/// A case of the first column type that a plugin without cases takes.
///
/// # Errors
/// The last refusal, where it takes none.
pub fn default_case(host: &WasmHost, wasm: &[u8]) -> Result<Case, PluginFailure> {
    let mut refusal = None;
    for dtype in DTYPES {
        let field = Field { nullable: true, ..Field::new("x", dtype) };
        let case = Case::of(&format!("a column of {dtype}"), json!({}), Schema::new(vec![field]));
        match Subject::new(host, wasm, &case) {
            Ok(_) => return Ok(case),
            Err(failure) => refusal = Some(failure),
        }
    }
    Err(refusal.expect("there are types to try"))
}

/// Runs a case and the properties on its columns.
///
/// # Errors
/// When the plugin refuses the case's config or columns, though the case expects no error.
pub fn check(host: &WasmHost, wasm: &[u8], name: &str, case: &Case) -> Result<Vec<Check>, PluginFailure> {
    let subject = match Subject::new(host, wasm, case) {
        Err(failure) if case.error.is_some() => return Ok(vec![case.compare(name, Err(failure))]),
        subject => subject?,
    };
    let golden = case.compare(name, case.run(&subject));
    if case.error.is_some() {
        return Ok(vec![golden]);
    }
    let mut checks = vec![golden];
    checks.extend(properties::check(&subject, name, case)?);
    Ok(checks)
}

/// What the plugin answers now, as the case's expectation.
///
/// # Errors
/// When the rows of the case are not of its columns.
pub fn update(host: &WasmHost, wasm: &[u8], case: &Case) -> Result<Case, PluginFailure> {
    let ran = Subject::new(host, wasm, case).and_then(|subject| case.run(&subject));
    Ok(case.expecting(ran))
}

fn state(fitted: &Fitted) -> State {
    let Fitted { state, state_version, .. } = fitted;
    let reference = StateRef { digest: Digest::of(state), version: *state_version, bytes: state.len() as u64 };
    State { reference, bytes: state.clone().into() }
}
