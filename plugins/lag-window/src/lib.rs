//! Adds what came before: each row's lagged values and statistics over a rolling window of rows, for each key.
//!
//! The rows must come in order, the step's `orderBy`; a key is the combination of the columns under `key`, and without any
//! all rows share one. All columns of the input stay as they are. For each number column under `columns` follow
//! `{column}_lag_{n}`, the value n rows earlier of the same key, and `{column}_{statistic}_{rows}`, over the last `rows`
//! rows of the same key, by default with the current one. New columns are float64 and null where there is no such row or
//! the window holds no value; nulls count as rows, but not as values. Whole numbers over 2^53 are rounded.
//!
//! Not row-wise: one instance sees all rows, and what a batch's rows become does not depend on where batches end. Nothing
//! is held back for `flush`.

mod history;

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::category::for_each_key;
use tiegel_plugin::{Batch, Column, DType, Field, NumberBuilder, PluginError, Result, Schema, Transform};

use crate::history::History;

/// Rows that a lag or window may reach back.
const ROWS_MAX: u32 = 10_000;

/// Values of all keys and columns that are held together: 64 MiB.
const HELD_VALUES_MAX: usize = 4 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    Mean,
    Min,
    Max,
    Sum,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The columns whose values make a key: texts, whole numbers or booleans.
    pub key: Vec<String>,
    /// The number columns to look back in; without it all that are not part of the key.
    pub columns: Option<Vec<String>>,
    /// How many rows back to take a value from: 1 is the row before.
    pub lags: Vec<u32>,
    /// Lengths of rolling windows, in rows.
    pub windows: Vec<u32>,
    /// What to compute of each window.
    pub statistics: Vec<Statistic>,
    /// Windows end with the current row; else with the one before, so that a row's own value stays out.
    pub current: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            key: Vec::new(),
            columns: None,
            lags: vec![1],
            windows: Vec::new(),
            statistics: vec![Statistic::Mean],
            current: true,
        }
    }
}

pub struct LagWindow {
    config: Config,
    /// Positions of the key columns.
    key: Vec<usize>,
    /// Positions of the number columns to look back in.
    values: Vec<usize>,
    output: Schema,
    /// For each key, the history of each number column.
    groups: HashMap<Vec<u8>, Vec<History>>,
}

impl Transform for LagWindow {
    type Config = Config;

    const ROW_WISE: bool = false;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        check(&config)?;
        let key = positions(input, &config.key, ("key", Field::is_category))?;
        let all = || {
            let rest = input.fields.iter().filter(|field| field.is_number() && !config.key.contains(&field.name));
            rest.map(|field| field.name.clone()).collect()
        };
        let names = config.columns.clone().unwrap_or_else(all);
        let values = positions(input, &names, ("columns", Field::is_number))?;
        if values.is_empty() {
            return Err(PluginError::invalid_schema("lag-window reads at least one number column beside the key"));
        }
        let mut output = input.clone();
        for name in &names {
            output.fields.extend(config.names(name).map(|name| Field::new(name, DType::Float64).nullable(true)));
        }
        let fields = &output.fields;
        if let Some(at) = (1..fields.len()).find(|at| fields[..*at].iter().any(|field| field.name == fields[*at].name))
        {
            let message = "a new column has the name of another one: rename it before";
            return Err(PluginError::invalid_schema(message).column(&fields[at].name));
        }
        Ok(Self { config, key, values, output, groups: HashMap::new() })
    }

    fn output(&self) -> Option<Schema> {
        Some(self.output.clone())
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        let keys = self.keys(&input)?;
        let values = self.values.iter().map(|at| Ok(input.column(*at).numbers()?.collect::<Vec<_>>()));
        let values = values.collect::<Result<Vec<Vec<Option<f64>>>>>()?;
        let new = || NumberBuilder::with_capacity(input.rows());
        let mut added: Vec<Vec<NumberBuilder<f64>>> =
            values.iter().map(|_| (0..self.config.columns_of_each()).map(|_| new()).collect()).collect();
        for (row, key) in keys.into_iter().enumerate() {
            let config = &self.config;
            let keys = self.groups.len();
            let is_full = (keys + 1) * values.len() * config.depth() > HELD_VALUES_MAX;
            if is_full && !self.groups.contains_key(&key) {
                let message = format!("more than {keys} keys: too many for windows of this length");
                return Err(PluginError::invalid_input(message).row(row));
            }
            let histories = self.groups.entry(key).or_insert_with(|| vec![History::default(); values.len()]);
            for ((history, values), builders) in histories.iter_mut().zip(&values).zip(&mut added) {
                history.take(config, values[row], builders);
            }
        }
        let mut columns = input.into_columns();
        columns.extend(added.into_iter().flatten().map(NumberBuilder::finish));
        Ok(columns)
    }
}

impl LagWindow {
    /// The key of each row: that of its columns one after the other, each with its length.
    fn keys(&self, input: &Batch) -> Result<Vec<Vec<u8>>> {
        let mut keys = vec![Vec::new(); input.rows()];
        for at in &self.key {
            for_each_key(&input.column(*at), |row, value| {
                let key: &mut Vec<u8> = &mut keys[row];
                key.push(u8::from(value.is_some()));
                let value = value.unwrap_or_default();
                key.extend((value.len() as u32).to_le_bytes());
                key.extend_from_slice(value);
            })?;
        }
        Ok(keys)
    }
}

impl Config {
    /// The new columns of one number column.
    fn names<'a>(&'a self, column: &'a str) -> impl Iterator<Item = String> + 'a {
        let lags = self.lags.iter().map(move |lag| format!("{column}_lag_{lag}"));
        let windows = self.windows.iter().flat_map(move |rows| {
            self.statistics.iter().map(move |statistic| format!("{column}_{}_{rows}", statistic.name()))
        });
        lags.chain(windows)
    }

    fn columns_of_each(&self) -> usize {
        self.lags.len() + self.windows.len() * self.statistics.len()
    }

    /// How many values of the past are needed.
    fn depth(&self) -> usize {
        self.lags.iter().chain(&self.windows).copied().max().unwrap_or_default() as usize
    }
}

impl Statistic {
    fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
        }
    }
}

fn check(config: &Config) -> Result<()> {
    let refuse = |message: &str| Err(PluginError::invalid_config(message));
    if config.lags.iter().chain(&config.windows).any(|rows| *rows == 0 || *rows > ROWS_MAX) {
        return refuse(&format!("lags and windows are 1 to {ROWS_MAX} rows"));
    }
    if config.lags.is_empty() && config.windows.is_empty() {
        return refuse("there is neither a lag nor a window");
    }
    if !config.windows.is_empty() && config.statistics.is_empty() {
        return refuse("windows need statistics");
    }
    let repeats = |list: &[u32]| (1..list.len()).any(|i| list[..i].contains(&list[i]));
    let same_statistic = (1..config.statistics.len()).any(|i| config.statistics[..i].contains(&config.statistics[i]));
    if repeats(&config.lags) || repeats(&config.windows) || same_statistic {
        return refuse("a lag, window or statistic comes twice");
    }
    Ok(())
}

/// Where these columns stand; `setting` is where they were named, and what each of them must be.
fn positions(input: &Schema, names: &[String], setting: (&str, fn(&Field) -> bool)) -> Result<Vec<usize>> {
    let (setting, fits) = setting;
    let position = |name: &String| {
        let Some(at) = input.index_of(name) else {
            let message = format!("{setting} names a column that is not read");
            return Err(PluginError::invalid_config(message).column(name));
        };
        let field = &input.fields[at];
        if !fits(field) {
            let message = format!("{setting} cannot hold a column of {}", field.dtype.as_str());
            return Err(PluginError::invalid_schema(message).column(name));
        }
        Ok(at)
    };
    names.iter().map(position).collect()
}

tiegel_plugin::export!(LagWindow);

#[cfg(test)]
mod tests;
