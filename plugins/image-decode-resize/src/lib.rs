//! Decodes PNG and JPEG images and resizes them to `width` x `height` pixels: one block of numbers for each binary column.
//!
//! Values are float32, `(value / 255 - mean) / std` for each channel, or with `dtype: uint8` the bytes of the pixels. They
//! stand row by row with their channels together (`hwc`), or channel by channel (`chw`). An image is turned as its EXIF
//! entry says, its alpha channel is dropped. A null stays null.
//!
//! An image's dimensions are read first: more than 16 million pixels, or sides over 16,384, are refused before anything is
//! decoded, and decoding may not take more than 96 MiB.

mod picture;

use schemars::JsonSchema;
use serde::Deserialize;
use tiegel_plugin::{Batch, Column, ColumnRef, DType, Field, PluginError, Result, Schema, Transform};

use crate::picture::pixels;

/// Numbers of a block, at most: 4 MiB of float32.
const VALUES_MAX: u64 = 1 << 20;

/// Pixels of a side, at most.
const SIDE_MAX: u32 = 4_096;

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Red, green and blue.
    #[default]
    Rgb,
    /// Brightness.
    Gray,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Number {
    /// 0 to 1, then normalised.
    #[default]
    Float32,
    /// 0 to 255.
    Uint8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Row, column, channel.
    #[default]
    Hwc,
    /// Channel, row, column.
    Chw,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Stretches the image to the size.
    #[default]
    Stretch,
    /// Keeps the proportions and cuts off what stands out, from the middle.
    Crop,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Broken {
    /// The row is refused.
    #[default]
    Error,
    /// Null.
    Null,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Columns of pixels.
    #[schemars(range(min = 1, max = 4_096))]
    pub width: u32,
    /// Rows of pixels.
    #[schemars(range(min = 1, max = 4_096))]
    pub height: u32,
    /// What a pixel holds.
    pub channels: Channels,
    /// The type of the numbers.
    pub dtype: Number,
    /// The order of the numbers.
    pub layout: Layout,
    /// How an image of other proportions fits the size.
    pub fit: Fit,
    /// What a channel's mean is, from 0 to 1; one number, or one for each channel. Float32 only.
    pub mean: Vec<f32>,
    /// What a channel's standard deviation is; one number, or one for each channel. Float32 only.
    pub std: Vec<f32>,
    /// What becomes of bytes that are no image, or one that is too large.
    pub broken: Broken,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            width: 224,
            height: 224,
            channels: Channels::Rgb,
            dtype: Number::Float32,
            layout: Layout::Hwc,
            fit: Fit::Stretch,
            mean: vec![0.0],
            std: vec![1.0],
            broken: Broken::Error,
        }
    }
}

pub struct ImageDecodeResize {
    config: Config,
    output: Schema,
}

impl Transform for ImageDecodeResize {
    type Config = Config;

    /// Images take long to decode, and a call has a deadline.
    const PREFERRED_ROWS: u32 = 8;

    fn configure(config: Config, input: &Schema, _target: Option<&Field>) -> Result<Self> {
        check(&config)?;
        input.require("image-decode-resize reads binary", |field| field.width == 1 && field.dtype == DType::Binary)?;
        let dtype = if config.dtype == Number::Uint8 { DType::Uint8 } else { DType::Float32 };
        let output = |field: &Field| {
            let nullable = field.nullable || config.broken == Broken::Null;
            Field::new(&field.name, dtype).nullable(nullable).width(config.values() as u32)
        };
        let output = Schema::new(input.fields.iter().map(output).collect());
        Ok(Self { config, output })
    }

    fn output(&self) -> Option<Schema> {
        Some(self.output.clone())
    }

    fn transform(&mut self, input: Batch) -> Result<Vec<Column>> {
        input.columns().map(|column| self.decode(&column)).collect()
    }
}

impl ImageDecodeResize {
    fn decode(&self, column: &ColumnRef<'_>) -> Result<Column> {
        let values = self.config.values() as usize;
        let mut validity = tiegel_plugin::bitmap::Bitmap::with_capacity(column.rows());
        let mut bytes = Vec::with_capacity(values * column.rows());
        for (row, file) in column.binaries()?.enumerate() {
            let found = match file.map(|file| pixels(&self.config, file)).transpose() {
                Ok(found) => found,
                Err(_) if self.config.broken == Broken::Null => None,
                Err(why) => return Err(PluginError::invalid_input(why).column(column.name()).row(row)),
            };
            validity.push(found.is_some());
            bytes.extend(found.unwrap_or_else(|| vec![0; values]));
        }
        let is_there: Vec<bool> = (0..column.rows()).map(|row| validity.get(row)).collect();
        let mut block = match self.config.dtype {
            Number::Uint8 => Column { data: bytes, ..Column::default() },
            Number::Float32 => self.normalized(&bytes, &is_there),
        };
        block.validity = validity.into_validity();
        Ok(block)
    }

    /// Zeros stay in the place of nulls.
    fn normalized(&self, bytes: &[u8], is_there: &[bool]) -> Column {
        let tables = self.config.tables();
        let values = self.config.values() as usize;
        Column::filled::<f32>(bytes.len(), |out| {
            let rows = out.chunks_exact_mut(values).zip(bytes.chunks_exact(values)).zip(is_there);
            for ((out, bytes), _) in rows.filter(|(_, is_there)| **is_there) {
                for (at, (out, byte)) in out.iter_mut().zip(bytes).enumerate() {
                    *out = tables[self.config.channel_of(at)][usize::from(*byte)];
                }
            }
        })
    }
}

impl Config {
    fn channel_count(&self) -> usize {
        if self.channels == Channels::Gray { 1 } else { 3 }
    }

    /// Numbers of a block.
    fn values(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * self.channel_count() as u64
    }

    /// The channel of a number of the block.
    fn channel_of(&self, at: usize) -> usize {
        match self.layout {
            Layout::Hwc => at % self.channel_count(),
            Layout::Chw => at / (self.width as usize * self.height as usize),
        }
    }

    /// For each channel, what each byte becomes.
    fn tables(&self) -> Vec<[f32; 256]> {
        let of = |list: &[f32], channel: usize| list[channel.min(list.len() - 1)];
        let table = |channel| {
            let (mean, std) = (of(&self.mean, channel), of(&self.std, channel));
            std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std)
        };
        (0..self.channel_count()).map(table).collect()
    }
}

fn check(config: &Config) -> Result<()> {
    let refuse = |message: String| Err(PluginError::invalid_config(message));
    let is_side = |side: u32| (1..=SIDE_MAX).contains(&side);
    if !is_side(config.width) || !is_side(config.height) || config.values() > VALUES_MAX {
        return refuse(format!(
            "width and height are 1 to {SIDE_MAX}, and give at most {VALUES_MAX} numbers with the channels"
        ));
    }
    let fits = |list: &[f32]| {
        (list.len() == 1 || list.len() == config.channel_count()) && list.iter().all(|number| number.is_finite())
    };
    if !fits(&config.mean) || !fits(&config.std) || config.std.contains(&0.0) {
        return refuse("mean and std are one number, or one for each channel, and no std is 0".to_owned());
    }
    if config.dtype == Number::Uint8 && (config.mean != [0.0] || config.std != [1.0]) {
        return refuse("mean and std are for float32".to_owned());
    }
    Ok(())
}

tiegel_plugin::export!(ImageDecodeResize);

#[cfg(test)]
mod tests;
