use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::kernels::{min_max, sum};
use tiegel_plugin::{ColumnRef, DType, PluginError, Result, Scaling, Summary};

use crate::Config;

/// The lowest and highest value so far; none before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Range(Option<(f64, f64)>);

impl Range {
    pub fn scaling(&self, config: &Config) -> Result<Scaling> {
        let Some((low, high)) = self.0 else {
            return Err(PluginError::invalid_input("the training rows hold no value"));
        };
        let width = high - low;
        if !width.is_finite() {
            return Err(PluginError::invalid_input("the values are too far apart for a range"));
        }
        let wanted = f64::from(config.max) - f64::from(config.min);
        let scale = if width == 0.0 { 0.0 } else { wanted / width };
        if !scale.is_finite() {
            return Err(PluginError::invalid_input("the values are too close together for a range"));
        }
        Ok(Scaling { center: low, scale, shift: config.min })
    }

    fn include(&mut self, low: f64, high: f64) {
        // Adding 0 turns -0 into 0: which of the two comes first must not matter.
        let (low, high) = (low + 0.0, high + 0.0);
        let (lowest, highest) = self.0.unwrap_or((low, high));
        self.0 = Some((lowest.min(low), highest.max(high)));
    }
}

impl Summary for Range {
    fn learn(&mut self, column: &ColumnRef<'_>) -> Result<()> {
        if column.dtype() == DType::Float32 && column.null_count() == 0 {
            let values = column.values::<f32>()?;
            // The sum of finite float32 is finite in float64; one that is not finite makes it so.
            if sum(&values).is_finite() {
                min_max(&values).into_iter().for_each(|(low, high)| self.include(low.into(), high.into()));
                return Ok(());
            }
        }
        for (row, value) in column.numbers()?.enumerate() {
            match value {
                Some(x) if x.is_finite() => self.include(x, x),
                Some(_) => {
                    let message = "a value is not finite; filter or impute it first";
                    return Err(PluginError::invalid_input(message).row(row));
                }
                None => {}
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        other.0.into_iter().for_each(|(low, high)| self.include(low, high));
        Ok(())
    }

    fn encode(&self, writer: &mut Writer) {
        writer.u8(self.0.is_some().into());
        let (low, high) = self.0.unwrap_or_default();
        writer.f64(low);
        writer.f64(high);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let (some, low, high) = (reader.u8()?, reader.f64()?, reader.f64()?);
        match some {
            0 => Ok(Self(None)),
            1 if low.is_finite() && high.is_finite() && low <= high => Ok(Self(Some((low, high)))),
            _ => Err(PluginError::bad_state("the partial holds a range that is none")),
        }
    }
}
