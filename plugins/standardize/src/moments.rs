use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::kernels::Moments;
use tiegel_plugin::{ColumnRef, DType, PluginError, Result, Scaling};

/// Of the bytes of a partial, which are also those of a state.
const VERSION: u8 = 1;

/// What one column has shown so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ColumnMoments(Moments);

impl ColumnMoments {
    pub fn learn(&mut self, column: &ColumnRef<'_>) -> Result<()> {
        let before = self.0;
        if column.dtype() == DType::Float32 && column.null_count() == 0 {
            self.0.extend_slice(&column.values::<f32>()?);
        } else {
            self.0.extend(column.numbers()?.flatten());
        }
        if self.0.m2.is_finite() {
            return Ok(());
        }
        // Only now is the row worth looking for.
        self.0 = before;
        let row = column.numbers()?.position(|x| x.is_some_and(|x| !x.is_finite()));
        Err(match row {
            Some(row) => PluginError::invalid_input("a value is not finite; filter or impute it first").row(row),
            None => PluginError::invalid_input("the values are too far apart for a variance"),
        }
        .column(column.name()))
    }

    pub fn merge(&mut self, other: Self) {
        self.0.merge(other.0);
    }

    pub fn scaling(&self, column: &str) -> Result<Scaling> {
        if self.0.count == 0 {
            return Err(PluginError::invalid_input("the training rows hold no value").column(column));
        }
        let deviation = self.0.variance().sqrt();
        // Rounding leaves a constant column a tiny deviation: below a millionth of a millionth of the mean it is 0.
        let constant = deviation <= self.0.mean.abs() * 1e-12;
        let scale = if constant { 0.0 } else { 1.0 / deviation };
        Ok(Scaling { center: self.0.mean, scale, shift: 0.0 })
    }
}

pub fn encode(columns: &[ColumnMoments]) -> Vec<u8> {
    let mut writer = Writer::new(VERSION);
    for ColumnMoments(Moments { count, mean, m2 }) in columns {
        writer.u64(*count);
        writer.f64(*mean);
        writer.f64(*m2);
    }
    writer.finish()
}

/// # Errors
/// When the bytes are not those of `columns` columns.
pub fn decode(bytes: &[u8], columns: usize) -> Result<Vec<ColumnMoments>> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let mut moments = Vec::with_capacity(columns);
    for _ in 0..columns {
        let one = Moments { count: reader.u64()?, mean: reader.f64()?, m2: reader.f64()? };
        if !(one.mean.is_finite() && one.m2.is_finite() && one.m2 >= 0.0) {
            return Err(PluginError::bad_state("the state holds a mean or variance that is not a number"));
        }
        moments.push(ColumnMoments(one));
    }
    reader.finish()?;
    Ok(moments)
}
