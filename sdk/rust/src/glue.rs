//! Between the generated bindings and the traits. Only the export macros use it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Once;

use schemars::JsonSchema;

pub use crate::bindings::meta::exports::tiegel::plugin::meta::Descriptor;
pub use crate::bindings::meta::tiegel::plugin::types as raw;

use crate::bindings::request::exports::tiegel::plugin::request::Payload as RawPayload;
use crate::{
    Batch, Column, ColumnRef, Estimator, Field, PluginError, RequestProcessor, Result, Schema, Tensor, Transform, log,
};

/// What the generated bindings answer.
pub type Answer<T> = std::result::Result<T, raw::PluginError>;

/// The plugin of this component: none until `configure`.
pub struct Instance<P> {
    bound: RefCell<Option<Bound<P>>>,
}

struct Bound<P> {
    plugin: P,
    input: Rc<Schema>,
    target: Option<Field>,
}

/// What Cargo.toml says of the plugin.
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    pub summary: &'static str,
}

pub fn descriptor<P: Transform>(package: Package, state_version: u32) -> Descriptor {
    let (row_wise, preferred_rows) = (P::ROW_WISE, P::PREFERRED_ROWS);
    Descriptor { row_wise, preferred_rows, state_version, ..describe::<P::Config>(package) }
}

/// A request processor sees one request at a time, whatever rows are in it.
pub fn processor_descriptor<P: RequestProcessor>(package: Package) -> Descriptor {
    describe::<P::Config>(package)
}

fn describe<C: JsonSchema>(package: Package) -> Descriptor {
    report_panics();
    Descriptor {
        name: package.name.to_owned(),
        version: package.version.to_owned(),
        summary: package.summary.to_owned(),
        config_schema: serde_json::Value::from(schemars::schema_for!(C)).to_string(),
        row_wise: true,
        preferred_rows: 0,
        state_version: 0,
    }
}

impl<P> Instance<P> {
    pub const fn new() -> Self {
        Self { bound: RefCell::new(None) }
    }
}

impl<P> Default for Instance<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Transform> Instance<P> {
    pub fn configure(
        &self,
        config: &str,
        input: raw::Schema,
        target: Option<raw::Field>,
    ) -> Answer<Option<raw::Schema>> {
        report_panics();
        let (input, target) = (Rc::new(Schema::from(input)), target.map(Field::from));
        let plugin: P = crate::configure(config, &input, target.as_ref())?;
        let output = plugin.output();
        *self.bound.borrow_mut() = Some(Bound { plugin, input, target });
        Ok(output.map(raw::Schema::from))
    }

    pub fn transform(&self, input: raw::Batch) -> Answer<raw::Batch> {
        self.with(|bound| {
            let input = bound.batch(input);
            let rows = input.rows();
            let columns = bound.plugin.transform(input)?;
            Ok(raw_batch(bound.plugin.output_rows(rows), columns))
        })
    }

    pub fn flush(&self) -> Answer<Option<raw::Batch>> {
        self.with(|bound| Ok(bound.plugin.flush()?.map(|(rows, columns)| raw_batch(rows, columns))))
    }

    fn with<T>(&self, call: impl FnOnce(&mut Bound<P>) -> Result<T>) -> Answer<T> {
        let mut bound = self.bound.borrow_mut();
        let bound = bound.as_mut().ok_or_else(not_configured)?;
        Ok(call(bound)?)
    }
}

impl<P: Estimator> Instance<P> {
    pub fn partial_fit(&self, input: raw::Batch, target: Option<raw::Column>) -> Answer<()> {
        self.with(|bound| {
            let input = bound.batch(input);
            let column = target.map(column);
            let target = match (&bound.target, &column) {
                (Some(field), Some(column)) => Some(ColumnRef::new(field, column, input.rows())),
                _ => None,
            };
            bound.plugin.partial_fit(&input, target)
        })
    }

    pub fn partial(&self) -> Answer<Vec<u8>> {
        self.with(|bound| bound.plugin.partial())
    }

    pub fn merge(&self, partial: &[u8]) -> Answer<()> {
        self.with(|bound| bound.plugin.merge(partial))
    }

    pub fn finish(&self) -> Answer<(raw::Schema, Vec<u8>)> {
        self.with(|bound| {
            let state = bound.plugin.finish()?;
            Ok((fitted_output(&bound.plugin)?, state))
        })
    }

    pub fn load(&self, state: &[u8], version: u32) -> Answer<raw::Schema> {
        self.with(|bound| {
            bound.plugin.load(state, version)?;
            fitted_output(&bound.plugin)
        })
    }
}

/// The request processor of this component: none until `configure`.
pub struct Edge<P> {
    processor: RefCell<Option<P>>,
}

impl<P> Edge<P> {
    pub const fn new() -> Self {
        Self { processor: RefCell::new(None) }
    }
}

impl<P> Default for Edge<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: RequestProcessor> Edge<P> {
    pub fn configure(&self, config: &str, model_input: raw::Schema) -> Answer<Option<raw::Schema>> {
        report_panics();
        *self.processor.borrow_mut() = Some(crate::configure_processor(config, &model_input.into())?);
        Ok(None)
    }

    pub fn preprocess(&self, input: RawPayload) -> Answer<Vec<raw::Tensor>> {
        let tensors = self.with(|processor| processor.preprocess(input.into()))?;
        Ok(tensors.into_iter().map(raw::Tensor::from).collect())
    }

    pub fn postprocess(&self, outputs: Vec<raw::Tensor>, accept: &str) -> Answer<RawPayload> {
        let outputs = outputs.into_iter().map(Tensor::from).collect();
        self.with(|processor| processor.postprocess(outputs, accept)).map(RawPayload::from)
    }

    fn with<T>(&self, call: impl FnOnce(&mut P) -> Result<T>) -> Answer<T> {
        let mut processor = self.processor.borrow_mut();
        Ok(call(processor.as_mut().ok_or_else(not_configured)?)?)
    }
}

impl<P> Bound<P> {
    fn batch(&self, batch: raw::Batch) -> Batch {
        let columns = batch.columns.into_iter().map(column).collect();
        Batch::new(Rc::clone(&self.input), batch.rows as usize, columns)
    }
}

fn not_configured() -> PluginError {
    PluginError::internal("configure was not called first")
}

fn fitted_output<P: Transform>(plugin: &P) -> Result<raw::Schema> {
    let output = plugin.output().ok_or_else(|| PluginError::internal("fitted, but there is no output schema"))?;
    Ok(output.into())
}

fn column(raw: raw::Column) -> Column {
    let raw::Column { data, validity, offsets } = raw;
    Column { data, validity, offsets }
}

fn raw_batch(rows: usize, columns: Vec<Column>) -> raw::Batch {
    let columns =
        columns.into_iter().map(|Column { data, validity, offsets }| raw::Column { data, validity, offsets }).collect();
    raw::Batch { rows: rows as u32, columns }
}

/// A trap carries no text: the panic's message goes to the log, from where the host takes it.
fn report_panics() {
    static ONCE: Once = Once::new();
    if cfg!(target_arch = "wasm32") {
        ONCE.call_once(|| {
            std::panic::set_hook(Box::new(|panic| log::line(log::Level::Error, &panic.to_string(), &[])));
        });
    }
}
