use crate::codec::{Reader, Writer};
use crate::{Batch, ColumnRef, PluginError, Result, Schema};

/// What one column of the training rows teaches.
pub trait Summary: Sized {
    /// # Errors
    /// When a value is not one that can be learned from; name the row.
    fn learn(&mut self, column: &ColumnRef<'_>) -> Result<()>;

    /// # Errors
    /// When both together exceed a limit.
    fn merge(&mut self, other: Self) -> Result<()>;

    fn encode(&self, writer: &mut Writer);

    /// # Errors
    /// When the bytes are not a summary.
    fn decode(reader: &mut Reader<'_>) -> Result<Self>;
}

/// One summary for each column of a plugin that treats its columns alike: the partial of its fit.
///
/// Every error names the column.
#[derive(Clone, Debug, PartialEq)]
pub struct PerColumn<S> {
    columns: Vec<(String, S)>,
}

/// Of the bytes of a partial.
const VERSION: u8 = 1;

impl<S: Summary> PerColumn<S> {
    pub fn new(schema: &Schema, empty: &S) -> Self
    where
        S: Clone,
    {
        Self { columns: schema.fields.iter().map(|field| (field.name.clone(), empty.clone())).collect() }
    }

    pub fn learn(&mut self, batch: &Batch) -> Result<()> {
        let mut columns = self.columns.iter_mut().zip(batch.columns());
        columns.try_for_each(|((name, summary), column)| summary.learn(&column).map_err(|e| e.or_column(name)))
    }

    pub fn partial(&self) -> Vec<u8> {
        let mut writer = Writer::new(VERSION);
        self.columns.iter().for_each(|(_, summary)| summary.encode(&mut writer));
        writer.finish()
    }

    pub fn merge(&mut self, partial: &[u8]) -> Result<()> {
        let mut reader = Reader::new(partial, VERSION)?;
        for (name, summary) in &mut self.columns {
            S::decode(&mut reader).and_then(|other| summary.merge(other)).map_err(|e| e.or_column(name))?;
        }
        reader.finish()
    }

    /// What each column's summary amounts to, in their order.
    ///
    /// # Errors
    /// The first of `conclude`.
    pub fn conclude<T>(&self, conclude: impl Fn(&S) -> Result<T>) -> Result<Vec<T>> {
        let columns = self.columns.iter();
        columns.map(|(name, summary)| conclude(summary).map_err(|e| e.or_column(name))).collect()
    }
}

/// The refusal to transform before a fit: "clip knows no limits yet".
pub fn not_fitted(plugin_knows_no: &str) -> PluginError {
    PluginError::not_fitted(format!("{plugin_knows_no} yet: fit it first"))
}
