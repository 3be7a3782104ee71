//! Between the generated bindings and the traits. Only the export macros use it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Once;

pub use crate::bindings::transform::exports::tiegel::plugin::meta::Descriptor;
pub use crate::bindings::transform::tiegel::plugin::types as raw;

use crate::{Batch, Column, ColumnRef, Estimator, Field, PluginError, Result, Schema, Transform, log};

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
    report_panics();
    Descriptor {
        name: package.name.to_owned(),
        version: package.version.to_owned(),
        summary: package.summary.to_owned(),
        config_schema: serde_json::Value::from(schemars::schema_for!(P::Config)).to_string(),
        row_wise: P::ROW_WISE,
        preferred_rows: P::PREFERRED_ROWS,
        state_version,
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
        let bound = bound.as_mut().ok_or_else(|| PluginError::internal("configure was not called first"))?;
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

impl<P> Bound<P> {
    fn batch(&self, batch: raw::Batch) -> Batch {
        let columns = batch.columns.into_iter().map(column).collect();
        Batch::new(Rc::clone(&self.input), batch.rows as usize, columns)
    }
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

/// Makes a `Transform` the plugin of this component.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        const _: () = {
            $crate::__component!($plugin, 0);
        };
    };
}

/// Makes an `Estimator` the plugin of this component.
#[macro_export]
macro_rules! export_estimator {
    ($plugin:ty) => {
        const _: () = {
            use $crate::glue::raw;

            $crate::__component!($plugin, <$plugin as $crate::Estimator>::STATE_VERSION);

            impl $crate::bindings::fit::exports::tiegel::plugin::fitter::Guest for Component {
                fn partial_fit(input: raw::Batch, target: Option<raw::Column>) -> $crate::glue::Answer<()> {
                    INSTANCE.with(|instance| instance.partial_fit(input, target))
                }
                fn partial() -> $crate::glue::Answer<Vec<u8>> {
                    INSTANCE.with(|instance| instance.partial())
                }
                fn merge(partial: Vec<u8>) -> $crate::glue::Answer<()> {
                    INSTANCE.with(|instance| instance.merge(&partial))
                }
                fn finish() -> $crate::glue::Answer<(raw::Schema, Vec<u8>)> {
                    INSTANCE.with(|instance| instance.finish())
                }
                fn load(state: Vec<u8>, version: u32) -> $crate::glue::Answer<raw::Schema> {
                    INSTANCE.with(|instance| instance.load(&state, version))
                }
            }

    $crate::bindings::fit::export_fit_world!(Component with_types_in $crate::bindings::fit);
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __component {
    ($plugin:ty, $state_version:expr) => {
        struct Component;

        ::std::thread_local! {
            static INSTANCE: $crate::glue::Instance<$plugin> = const { $crate::glue::Instance::new() };
        }

        impl $crate::bindings::transform::exports::tiegel::plugin::meta::Guest for Component {
            fn describe() -> $crate::glue::Descriptor {
                let package = $crate::glue::Package {
                    name: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    summary: env!("CARGO_PKG_DESCRIPTION"),
                };
                $crate::glue::descriptor::<$plugin>(package, $state_version)
            }
            fn configure(
                config: String,
                input: $crate::glue::raw::Schema,
                target: Option<$crate::glue::raw::Field>,
            ) -> $crate::glue::Answer<Option<$crate::glue::raw::Schema>> {
                INSTANCE.with(|instance| instance.configure(&config, input, target))
            }
        }

        impl $crate::bindings::transform::exports::tiegel::plugin::transformer::Guest for Component {
            fn transform(
                input: $crate::glue::raw::Batch,
            ) -> $crate::glue::Answer<$crate::glue::raw::Batch> {
                INSTANCE.with(|instance| instance.transform(input))
            }
            fn flush() -> $crate::glue::Answer<Option<$crate::glue::raw::Batch>> {
                INSTANCE.with(|instance| instance.flush())
            }
        }

        $crate::bindings::transform::export_transform_world!(
            Component with_types_in $crate::bindings::transform
        );
    };
}
