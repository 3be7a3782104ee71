use tiegel_plugin::category::{Counts, Dictionary, for_each_key};
use tiegel_plugin::codec::{Reader, Writer};
use tiegel_plugin::{Column, ColumnRef, PluginError, Result, Schema};

use crate::{Config, Slot};

/// Of the bytes of a state.
const VERSION: u8 = 1;

/// The slots of one column.
pub struct Categories {
    /// In ascending order; the code is the slot.
    values: Dictionary,
    unknown: Option<u32>,
    null: Option<u32>,
    width: u32,
}

impl Categories {
    /// # Errors
    /// When there is no slot at all.
    pub fn most_frequent(config: &Config, counts: &Counts) -> Result<Self> {
        let mut values = counts.most_frequent(config.min_count, config.max_categories as usize);
        values.sort();
        Self::new(config, Dictionary::new(values))
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn encode(&self, column: &ColumnRef<'_>) -> Result<Column> {
        let mut read = Ok(());
        let width = self.width as usize;
        let block = Column::filled::<f32>(column.rows() * width, |block| {
            read = for_each_key(column, |row, value| {
                let slot = match value {
                    Some(value) => self.values.code(value).or(self.unknown),
                    None => self.null,
                };
                if let Some(slot) = slot {
                    block[row * width + slot as usize] = 1.0;
                }
            });
        });
        read.map(|()| block)
    }

    fn new(config: &Config, values: Dictionary) -> Result<Self> {
        let mut width = values.len() as u32;
        let mut extra = |slot: Slot| {
            (slot == Slot::Column).then(|| {
                width += 1;
                width - 1
            })
        };
        let (unknown, null) = (extra(config.unknown), extra(config.nulls));
        if width == 0 {
            let message = format!("no value occurs {} times or more in the training rows", config.min_count);
            return Err(PluginError::invalid_input(message));
        }
        Ok(Self { values, unknown, null, width })
    }
}

pub fn encode(columns: &[Categories]) -> Vec<u8> {
    let mut writer = Writer::new(VERSION);
    columns.iter().for_each(|column| column.values.encode(&mut writer));
    writer.finish()
}

/// The slots of each column.
pub fn decode(bytes: &[u8], config: &Config, input: &Schema) -> Result<Vec<Categories>> {
    let mut reader = Reader::new(bytes, VERSION)?;
    let columns = input.fields.iter().map(|field| {
        let values = Dictionary::decode(&mut reader).map_err(|e| e.or_column(&field.name))?;
        if !values.keys().is_sorted() {
            return Err(PluginError::bad_state("the categories of the state are out of order").column(&field.name));
        }
        Categories::new(config, values).map_err(|e| e.or_column(&field.name))
    });
    let columns = columns.collect::<Result<_>>()?;
    reader.finish()?;
    Ok(columns)
}
