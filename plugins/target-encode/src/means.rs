use std::collections::BTreeMap;

use tiegel_plugin::category::{Dictionary, VALUES_MAX, for_each_key};
use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{ColumnRef, DType, PluginError, Result};

use crate::{Config, Nulls};

/// A code beyond every dictionary: the prior's.
const UNKNOWN: u32 = u32::MAX;

/// Of the targets of some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    count: u64,
    sum: f64,
}

impl Mean {
    pub fn add(&mut self, y: f64) {
        self.merge(Self { count: 1, sum: y });
    }

    pub fn merge(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
    }

    /// None of no rows.
    pub fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    pub fn encode(self, writer: &mut Writer) {
        writer.u64(self.count);
        writer.f64(self.sum);
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { count: reader.u64()?, sum: reader.f64()? })
    }

    fn smoothed(self, smoothing: f64, prior: f64) -> f32 {
        let weight = self.count as f64 + smoothing;
        if weight == 0.0 { prior as f32 } else { ((self.sum + smoothing * prior) / weight) as f32 }
    }
}

/// The targets of each category of a column.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    keys: BTreeMap<Vec<u8>, Mean>,
    null: Mean,
}

impl Groups {
    pub fn learn(&mut self, column: &ColumnRef<'_>, target: &[Option<f64>]) -> Result<()> {
        for_each_key(column, |row, key| {
            let Some(y) = target[row] else { return };
            match key {
                None => self.null.add(y),
                Some(key) => match self.keys.get_mut(key) {
                    Some(mean) => mean.add(y),
                    None => _ = self.keys.insert(key.to_vec(), Mean { count: 1, sum: y }),
                },
            }
        })?;
        self.check().map_err(|e| e.or_column(column.name()))
    }

    pub fn merge(&mut self, other: Self) -> Result<()> {
        for (key, mean) in other.keys {
            self.keys.entry(key).or_default().merge(mean);
        }
        self.null.merge(other.null);
        self.check()
    }

    pub fn encode(&self, writer: &mut Writer) {
        self.null.encode(writer);
        writer.u32(self.keys.len() as u32);
        for (key, mean) in &self.keys {
            writer.bytes(key);
            mean.encode(writer);
        }
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let (null, len) = (Mean::decode(reader)?, reader.u32()?);
        let entries = (0..len).map(|_| Ok((reader.bytes()?.to_vec(), Mean::decode(reader)?)));
        Ok(Self { keys: entries.collect::<Result<_>>()?, null })
    }

    fn check(&self) -> Result<()> {
        if self.keys.len() <= VALUES_MAX {
            return Ok(());
        }
        let message = format!("the column has more than {VALUES_MAX} different values, too many for categories");
        Err(PluginError::invalid_input(message))
    }
}

/// What each category of a column becomes.
pub struct Encoding {
    keys: Dictionary,
    /// By the code of the category; the last one is that of nulls.
    pub means: Vec<f32>,
    pub prior: f32,
}

impl Encoding {
    pub fn new(config: &Config, groups: &Groups, prior: f64) -> Self {
        let smoothed = |mean: &Mean| mean.smoothed(config.smoothing, prior);
        let mut means: Vec<f32> = groups.keys.values().map(smoothed).collect();
        means.push(if config.nulls == Nulls::Category { smoothed(&groups.null) } else { prior as f32 });
        Self { keys: Dictionary::new(groups.keys.keys().cloned().collect()), means, prior: prior as f32 }
    }

    pub fn code(&self, key: Option<&[u8]>) -> u32 {
        match key {
            Some(key) => self.keys.code(key).unwrap_or(UNKNOWN),
            None => self.keys.len() as u32,
        }
    }

    pub fn encode(&self, writer: &mut Writer) {
        writer.f64(self.prior.into());
        self.keys.encode(writer);
        self.means.iter().for_each(|mean| writer.f64((*mean).into()));
    }

    pub fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let prior = reader.f64()? as f32;
        let keys = Dictionary::decode(reader)?;
        let means = (0..=keys.len()).map(|_| Ok(reader.f64()? as f32)).collect::<Result<Vec<_>>>()?;
        Ok(Self { keys, means, prior })
    }
}

/// The target, row by row; a boolean counts as 0 or 1.
pub fn numbers(target: &ColumnRef<'_>) -> Result<Vec<Option<f64>>> {
    if target.dtype() == DType::Boolean {
        return Ok(target.booleans()?.map(|y| y.map(|y| f64::from(u8::from(y)))).collect());
    }
    let values: Vec<_> = target.numbers()?.collect();
    match values.iter().position(|y| y.is_some_and(|y| !y.is_finite())) {
        None => Ok(values),
        Some(row) => Err(PluginError::invalid_input("the target is not finite").column(target.name()).row(row)),
    }
}
