use std::collections::BTreeMap;

use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::kernels::Moments;
use tiegel_plugin::{ColumnRef, DType, Field, Numbers, PluginError, Quantiles, Result};

use crate::fill::Fill;
use crate::{Constant, Strategy};

/// Different values among which the mode is looked for.
const MODE_VALUES_MAX: usize = 100_000;

/// What one column has shown so far, for one strategy.
#[derive(Clone, Debug)]
pub enum Learned {
    Mean(Moments),
    Median(Quantiles),
    /// By a value's bytes; for numbers, their place in ascending order comes first.
    Mode(BTreeMap<(u64, Vec<u8>), u64>),
    Constant,
}

impl Learned {
    pub fn new(strategy: Strategy) -> Self {
        match strategy {
            Strategy::Mean => Self::Mean(Moments::default()),
            Strategy::Median => Self::Median(Quantiles::default()),
            Strategy::Mode => Self::Mode(BTreeMap::new()),
            Strategy::Constant => Self::Constant,
        }
    }

    pub fn learn(&mut self, column: &ColumnRef<'_>) -> Result<()> {
        match self {
            Self::Mean(moments) => {
                let values = finite(column)?;
                moments.extend(values);
            }
            Self::Median(sketch) => finite(column)?.into_iter().for_each(|value| sketch.add(value)),
            Self::Mode(counts) => count_values(counts, column)?,
            Self::Constant => {}
        }
        self.check(column.name())
    }

    pub fn merge(&mut self, other: Self, column: &str) -> Result<()> {
        match (&mut *self, other) {
            (Self::Mean(mine), Self::Mean(theirs)) => mine.merge(theirs),
            (Self::Median(mine), Self::Median(theirs)) => mine.merge(theirs),
            (Self::Mode(mine), Self::Mode(theirs)) => {
                for (value, count) in theirs {
                    let total = mine.entry(value).or_default();
                    *total = total.saturating_add(count);
                }
            }
            _ => {}
        }
        self.check(column)
    }

    /// The value that fills this column's nulls.
    ///
    /// # Errors
    /// When no value was seen.
    pub fn fill(&self, field: &Field, constant: Option<&Constant>) -> Result<Fill> {
        let nothing =
            || PluginError::invalid_input("the training rows hold no value to learn from").column(&field.name);
        match self {
            Self::Mean(moments) if moments.count == 0 => Err(nothing()),
            Self::Mean(moments) => Fill::number(field, moments.mean),
            Self::Median(sketch) => Fill::number(field, sketch.quantile(0.5).ok_or_else(nothing)?),
            Self::Mode(counts) => {
                // The smallest comes first, and only a higher count takes its place.
                let best = counts.iter().rev().max_by_key(|(_, count)| **count);
                let ((_, value), _) = best.ok_or_else(nothing)?;
                Fill::new(field.dtype, value.clone())
            }
            Self::Constant => match constant {
                Some(Constant::Boolean(value)) => Fill::new(field.dtype, vec![u8::from(*value)]),
                Some(Constant::Number(value)) => Fill::number(field, *value),
                Some(Constant::Text(value)) => Fill::new(field.dtype, value.clone().into_bytes()),
                None => Err(PluginError::invalid_config("strategy `constant` needs a value")),
            },
        }
    }

    pub fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Mean(Moments { count, mean, m2 }) => {
                writer.u64(*count);
                writer.f64(*mean);
                writer.f64(*m2);
            }
            Self::Median(sketch) => sketch.encode(writer),
            Self::Mode(counts) => {
                writer.u32(counts.len() as u32);
                for ((order, value), count) in counts {
                    writer.u64(*order);
                    writer.bytes(value);
                    writer.u64(*count);
                }
            }
            Self::Constant => {}
        }
    }

    pub fn decode(strategy: Strategy, reader: &mut Reader<'_>) -> Result<Self> {
        Ok(match strategy {
            Strategy::Mean => Self::Mean(Moments { count: reader.u64()?, mean: reader.f64()?, m2: reader.f64()? }),
            Strategy::Median => Self::Median(Quantiles::decode(reader)?),
            Strategy::Mode => {
                let len = reader.u32()?;
                let entry = |_| Ok(((reader.u64()?, reader.bytes()?.to_vec()), reader.u64()?));
                Self::Mode((0..len).map(entry).collect::<Result<_>>()?)
            }
            Strategy::Constant => Self::Constant,
        })
    }

    fn check(&self, column: &str) -> Result<()> {
        match self {
            Self::Mode(counts) if counts.len() > MODE_VALUES_MAX => {
                let message =
                    format!("the column has more than {MODE_VALUES_MAX} different values: it has no mode to speak of");
                Err(PluginError::invalid_input(message).column(column))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a column of this type has a mean.
pub fn is_number(dtype: DType) -> bool {
    dtype.is_number() || matches!(dtype, DType::Date32 | DType::TimestampUs)
}

fn numbers<'a>(column: &ColumnRef<'a>) -> Result<Numbers<'a>> {
    match column.dtype() {
        DType::Date32 => Ok(Box::new(column.options::<i32>()?.map(|day| day.map(f64::from)))),
        DType::TimestampUs => Ok(Box::new(column.options::<i64>()?.map(|micros| micros.map(|micros| micros as f64)))),
        _ => column.numbers(),
    }
}

/// The values that are not null.
fn finite(column: &ColumnRef<'_>) -> Result<Vec<f64>> {
    let mut values = Vec::with_capacity(column.rows());
    for (row, value) in numbers(column)?.enumerate() {
        match value {
            Some(value) if !value.is_finite() => {
                return Err(PluginError::invalid_input("a value is not finite").column(column.name()).row(row));
            }
            value => values.extend(value),
        }
    }
    Ok(values)
}

fn count_values(counts: &mut BTreeMap<(u64, Vec<u8>), u64>, column: &ColumnRef<'_>) -> Result<()> {
    let mut count = |order: u64, value: &[u8]| *counts.entry((order, value.to_vec())).or_default() += 1;
    const SIGN: u64 = 1 << 63;
    macro_rules! integers {
        ($number:ty, $flip:expr) => {
            column.options::<$number>()?.flatten().for_each(|v| count((v as u64) ^ $flip, &v.to_le_bytes()))
        };
    }
    macro_rules! floats {
        ($number:ty) => {
            column.options::<$number>()?.flatten().for_each(|v| {
                let bits = (f64::from(v) + 0.0).to_bits();
                count(if bits >> 63 == 1 { !bits } else { bits | SIGN }, &(v + 0.0).to_le_bytes());
            })
        };
    }
    match column.dtype() {
        DType::Int8 => integers!(i8, SIGN),
        DType::Int16 => integers!(i16, SIGN),
        DType::Int32 | DType::Date32 => integers!(i32, SIGN),
        DType::Int64 | DType::TimestampUs => integers!(i64, SIGN),
        DType::Uint8 => integers!(u8, 0),
        DType::Uint16 => integers!(u16, 0),
        DType::Uint32 => integers!(u32, 0),
        DType::Uint64 => integers!(u64, 0),
        DType::Float32 => floats!(f32),
        DType::Float64 => floats!(f64),
        DType::Boolean => column.booleans()?.flatten().for_each(|value| count(0, &[u8::from(value)])),
        _ => column.binaries()?.flatten().for_each(|value| count(0, value)),
    }
    Ok(())
}
