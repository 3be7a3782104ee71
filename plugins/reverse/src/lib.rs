//! The smallest plugin that is not row-wise: it holds all rows back and answers them last to first, each with a random
//! number. For tests of the host.

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::{Batch, Column, DType, Field, PluginError, Result, Schema, Transform};

/// Rows of one answer.
const FLUSH_ROWS: usize = 1_000;

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Goes on answering empty batches.
    pub endless: bool,
}

pub struct Reverse {
    endless: bool,
    output: Schema,
    held: Vec<i64>,
}

impl Transform for Reverse {
    type Config = Config;

    const ROW_WISE: bool = false;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        let [field] = input.fields.as_slice() else {
            return Err(PluginError::invalid_schema("reverse reads one column"));
        };
        if field.dtype != DType::Int64 || field.width != 1 || field.nullable {
            return Err(PluginError::invalid_schema("reverse reads int64 without nulls").column(&field.name));
        }
        let output = Schema::new(vec![field.clone(), Field::new("random", DType::Uint64)]);
        Ok(Self { endless: config.endless, output, held: Vec::new() })
    }

    fn output(&self) -> Option<Schema> {
        Some(self.output.clone())
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        self.held.extend(&*input.column(0).values::<i64>()?);
        Ok(vec![Column::default(), Column::default()])
    }

    fn output_rows(&self, _input_rows: usize) -> usize {
        0
    }

    fn flush(&mut self) -> Result<Option<(usize, Vec<Column>)>> {
        let rows = self.held.len().min(FLUSH_ROWS);
        if rows == 0 && !self.endless {
            return Ok(None);
        }
        let values: Vec<i64> = self.held.drain(self.held.len() - rows..).rev().collect();
        let random: Vec<u64> = (0..rows).map(|_| tiegel_plugin::random_u64()).collect();
        Ok(Some((rows, vec![Column::from_values(&values), Column::from_values(&random)])))
    }
}

tiegel_plugin::export!(Reverse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_columns_are_refused_by_name() {
        let nullable = Batch::builder().int64("n", [Some(1)]).build().unwrap();
        let error = tiegel_plugin::configure::<Reverse>("{}", nullable.schema(), None).err().unwrap();
        assert_eq!(error.to_string(), "reverse reads int64 without nulls (column 'n')");
    }

    #[test]
    fn rows_are_held_back() {
        let field = Field::new("n", DType::Int64);
        let input = || Batch::builder().column(field.clone(), Column::from_values(&[1i64, 2]), 2).build().unwrap();
        let mut plugin: Reverse = tiegel_plugin::configure("{}", input().schema(), None).unwrap();
        let output = tiegel_plugin::transform(&mut plugin, input()).unwrap();
        assert_eq!((output.rows(), plugin.held), (0, vec![1, 2]));
    }
}
