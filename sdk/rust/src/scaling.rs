use std::rc::Rc;

use crate::codec::{Reader, Writer};
use crate::{Batch, Column, ColumnRef, DType, Field, PluginError, Result, Schema, bitmap, kernels};

/// Of the bytes of a state.
const VERSION: u8 = 1;

/// (x - center) * scale + shift, as float32.
///
/// A float32 column is computed in float32, with the center as the sum of two; all others in float64 and rounded once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    pub center: f64,
    pub scale: f64,
    pub shift: f32,
}

impl Scaling {
    /// Scales a column; a null stays null, and its place becomes 0.
    ///
    /// # Errors
    /// When the column holds no numbers.
    pub fn apply(self, field: &Field, mut column: Column, rows: usize) -> Result<Column> {
        if field.dtype == DType::Float32 {
            column.edit::<f32>(|values| kernels::center_scale(values, self.center, self.scale));
        } else {
            let numbers = ColumnRef::new(field, &column, rows).numbers()?;
            let scale = |x: f64| ((x - self.center) * self.scale) as f32;
            let scaled: Vec<f32> = numbers.map(|x| x.map_or(0.0, scale)).collect();
            column = Column { validity: column.validity, ..Column::from_values(&scaled) };
        }
        // Adding 0 would turn -0 into 0.
        if self.shift != 0.0 {
            column.edit::<f32>(|values| kernels::affine(values, 1.0, self.shift));
        }
        Ok(zero_nulls(column))
    }

    /// Scales each column of a batch by its own.
    ///
    /// # Errors
    /// Those of `apply`.
    pub fn apply_each(columns: &[Self], input: Batch) -> Result<Vec<Column>> {
        let (schema, rows) = (Rc::clone(input.schema()), input.rows());
        let fields = schema.fields.iter().zip(input.into_columns()).zip(columns);
        fields.map(|((field, column), scaling)| scaling.apply(field, column, rows)).collect()
    }

    /// The state of a plugin that scales each column.
    pub fn state(columns: &[Self]) -> Vec<u8> {
        let mut writer = Writer::new(VERSION);
        for Self { center, scale, shift } in columns {
            writer.f64(*center);
            writer.f64(*scale);
            writer.f64((*shift).into());
        }
        writer.finish()
    }

    /// The scaling of each column, from the bytes of `state`.
    ///
    /// # Errors
    /// When the bytes are not those of these columns, or a number is not finite.
    pub fn of_state(state: &[u8], columns: &Schema) -> Result<Vec<Self>> {
        let mut reader = Reader::new(state, VERSION)?;
        let mut all = Vec::with_capacity(columns.fields.len());
        for field in &columns.fields {
            let scaling = Self { center: reader.f64()?, scale: reader.f64()?, shift: reader.f64()? as f32 };
            if !(scaling.center.is_finite() && scaling.scale.is_finite() && scaling.shift.is_finite()) {
                let message = "the state holds a scaling that is not finite";
                return Err(PluginError::bad_state(message).column(&field.name));
            }
            all.push(scaling);
        }
        reader.finish()?;
        Ok(all)
    }
}

/// A null's place holds arbitrary bytes: zeroing it keeps the same rows at the same bytes.
fn zero_nulls(mut column: Column) -> Column {
    if let Some(validity) = column.validity.take() {
        column.edit::<f32>(|values| {
            let nulls = values.iter_mut().enumerate().filter(|(row, _)| !bitmap::bit(&validity, *row));
            nulls.for_each(|(_, value)| *value = 0.0);
        });
        column.validity = Some(validity);
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALING: Scaling = Scaling { center: 2.0, scale: 0.5, shift: 1.0 };

    #[test]
    fn every_type_is_scaled_and_the_places_of_nulls_are_zero() {
        let batch = Batch::builder()
            .float32("a", [Some(4.0), None])
            .float64("b", [Some(4.0), None])
            .int64("c", [Some(4), None])
            .build()
            .unwrap();
        for column in Scaling::apply_each(&[SCALING; 3], batch).unwrap() {
            assert_eq!(column, Column { validity: Some(vec![1]), ..Column::from_values(&[2f32, 0.0]) });
        }
    }

    #[test]
    fn a_state_comes_back_and_another_is_refused() {
        let columns = Schema::new(vec![Field::new("a", DType::Float32)]);
        let state = Scaling::state(&[SCALING]);
        assert_eq!(Scaling::of_state(&state, &columns).unwrap(), [SCALING]);
        assert!(Scaling::of_state(&state, &Schema::default()).is_err());
        let forged = Scaling::state(&[Scaling { scale: f64::NAN, ..SCALING }]);
        let error = Scaling::of_state(&forged, &columns).unwrap_err();
        assert_eq!(error.to_string(), "the state holds a scaling that is not finite (column 'a')");
    }
}
