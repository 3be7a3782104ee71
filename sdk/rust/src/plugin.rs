use std::rc::Rc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Batch, ColumnRef, Field, PluginError, Result, Schema};

/// A plugin that turns rows into rows. Name, version and summary come from its Cargo.toml.
pub trait Transform: Sized {
    /// What users write under `config`; its JSON Schema becomes the form in the UI.
    /// Derive `Deserialize` with `deny_unknown_fields`, so that a misspelt key is an error.
    type Config: DeserializeOwned + JsonSchema;

    /// Output row i depends on input row i, the config and the state alone. Only such plugins run in endpoints.
    const ROW_WISE: bool = true;

    /// Rows a call should carry for good throughput; 0 leaves it to the host.
    const PREFERRED_ROWS: u32 = 0;

    /// Binds the config and the input columns. `target` is there only while fitting.
    ///
    /// # Errors
    /// When the columns are not ones that the plugin can read; name the column.
    fn configure(config: Self::Config, input: &Schema, target: Option<&Field>) -> Result<Self>;

    /// The output columns; none while they need a state that is not there yet.
    fn output(&self) -> Option<Schema>;

    /// Answers columns in the order of `output`, as many rows as came in where `ROW_WISE`.
    ///
    /// # Errors
    /// When a value is not one that the plugin can work with; name column and row.
    fn transform(&mut self, input: Batch) -> Result<Vec<crate::Column>>;

    /// After the last batch, called until it answers none. Rows and columns. Row-wise plugins hold nothing back.
    fn flush(&mut self) -> Result<Option<(usize, Vec<crate::Column>)>> {
        Ok(None)
    }

    /// How many rows the answer to a batch of `input_rows` holds. Asked right after `transform`.
    fn output_rows(&self, input_rows: usize) -> usize {
        input_rows
    }
}

/// A plugin that learns a state from rows first. What it learns must not depend on how the rows were cut into chunks:
/// exactly for counts and sets, within rounding for sums of floats.
pub trait Estimator: Transform {
    /// Raised when the bytes of `finish` change meaning.
    const STATE_VERSION: u32 = 1;

    /// Learns from rows. The target is there only where the step names one.
    ///
    /// # Errors
    /// When a value is not one that the plugin can learn from; name column and row.
    fn partial_fit(&mut self, input: &Batch, target: Option<ColumnRef<'_>>) -> Result<()>;

    /// All that this instance has seen so far; the same rows give the same bytes.
    ///
    /// # Errors
    /// When what was seen cannot be expressed.
    fn partial(&self) -> Result<Vec<u8>>;

    /// Adds what another instance has seen, from the bytes of its `partial`.
    ///
    /// # Errors
    /// When the bytes are not a partial of this plugin for these columns.
    fn merge(&mut self, partial: &[u8]) -> Result<()>;

    /// Closes the fit and answers the state. From now on `output` is there and `transform` works.
    ///
    /// # Errors
    /// When nothing usable was seen.
    fn finish(&mut self) -> Result<Vec<u8>>;

    /// Restores a state; does what `finish` does to this instance.
    ///
    /// # Errors
    /// When the bytes are not a state of this plugin for these columns.
    fn load(&mut self, state: &[u8], version: u32) -> Result<()>;
}

/// Configures a plugin from JSON text, as the host does.
///
/// # Errors
/// When the text is not a config of this plugin, with the place in the text, or `configure` refuses.
pub fn configure<P: Transform>(config: &str, input: &Schema, target: Option<&Field>) -> Result<P> {
    P::configure(parse_config(config)?, input, target)
}

pub(crate) fn parse_config<C: DeserializeOwned>(config: &str) -> Result<C> {
    serde_json::from_str(config).map_err(|e| PluginError::invalid_config(format!("config: {e}")))
}

/// Transforms a batch natively and names the output columns, for tests without Wasm.
///
/// # Errors
/// Those of `transform`, or that there is no output schema yet.
pub fn transform<P: Transform>(plugin: &mut P, input: Batch) -> Result<Batch> {
    let rows = input.rows();
    let columns = plugin.transform(input)?;
    let output = plugin.output().ok_or_else(|| PluginError::not_fitted("fit the plugin or load a state first"))?;
    Ok(Batch::new(Rc::new(output), plugin.output_rows(rows), columns))
}
