use std::collections::HashMap;

use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{Column, ColumnRef, PluginError, Result};

use crate::counts::for_each_value;
use crate::{Config, Slot};

/// Of the bytes of a state.
const VERSION: u8 = 1;

/// The slots of one column.
pub struct Categories {
    /// In ascending order; the position is the slot.
    values: Vec<Vec<u8>>,
    slots: HashMap<Vec<u8>, usize>,
    unknown: Option<usize>,
    null: Option<usize>,
    width: usize,
}

impl Categories {
    /// # Errors
    /// When there is no slot at all.
    pub fn new(config: &Config, values: Vec<Vec<u8>>, column: &str) -> Result<Self> {
        let mut width = values.len();
        let mut extra = |slot: Slot| {
            (slot == Slot::Column).then(|| {
                width += 1;
                width - 1
            })
        };
        let (unknown, null) = (extra(config.unknown), extra(config.nulls));
        if width == 0 {
            let message = format!("no value occurs {} times or more in the training rows", config.min_count);
            return Err(PluginError::invalid_input(message).column(column));
        }
        let slots = values.iter().cloned().enumerate().map(|(slot, value)| (value, slot)).collect();
        Ok(Self { values, slots, unknown, null, width })
    }

    pub fn width(&self) -> usize {
        self.width
    }

    pub fn encode(&self, column: &ColumnRef<'_>) -> Result<Column> {
        let mut read = Ok(());
        let block = Column::filled::<f32>(column.rows() * self.width, |block| {
            read = for_each_value(column, |row, value| {
                let slot = match value {
                    Some(value) => self.slots.get(value).copied().or(self.unknown),
                    None => self.null,
                };
                if let Some(slot) = slot {
                    block[row * self.width + slot] = 1.0;
                }
            });
        });
        read.map(|()| block)
    }
}

pub fn encode(columns: &[Categories]) -> Vec<u8> {
    let mut writer = Writer::new(VERSION);
    for Categories { values, .. } in columns {
        writer.u32(values.len() as u32);
        values.iter().for_each(|value| writer.bytes(value));
    }
    writer.finish()
}

/// The values of each column.
pub fn decode(bytes: &[u8], columns: usize) -> Result<Vec<Vec<Vec<u8>>>> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let mut all = Vec::with_capacity(columns);
    for _ in 0..columns {
        let len = reader.u32()?;
        let values: Vec<Vec<u8>> = (0..len).map(|_| reader.bytes().map(<[u8]>::to_vec)).collect::<Result<_>>()?;
        if !values.is_sorted_by(|a, b| a < b) {
            return Err(PluginError::bad_state("the categories of the state are out of order"));
        }
        all.push(values);
    }
    reader.finish()?;
    Ok(all)
}
