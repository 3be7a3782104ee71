use std::io::Cursor;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::{Channels, Config, Fit, Layout};

/// Pixels of an image that is decoded, at most.
const PIXELS_MAX: u64 = 16 << 20;

/// Pixels of a side of an image that is decoded, at most.
const SOURCE_SIDE_MAX: u32 = 16_384;

/// Memory that decoding may take.
const DECODE_BYTES_MAX: u64 = 96 << 20;

/// The numbers of an image's block, 0 to 255; or why there are none.
pub fn pixels(config: &Config, file: &[u8]) -> Result<Vec<u8>, String> {
    let image = decode(file)?;
    let (width, height, filter) = (config.width, config.height, FilterType::Triangle);
    let image = match config.fit {
        Fit::Stretch => image.resize_exact(width, height, filter),
        Fit::Crop => image.resize_to_fill(width, height, filter),
    };
    let bytes = match config.channels {
        Channels::Rgb => image.into_rgb8().into_raw(),
        Channels::Gray => image.into_luma8().into_raw(),
    };
    Ok(if config.layout == Layout::Chw { by_channel(&bytes, config.channel_count()) } else { bytes })
}

fn decode(file: &[u8]) -> Result<DynamicImage, String> {
    let broken = |error: image::ImageError| format!("the image cannot be read: {error}");
    let reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(|error| error.to_string())?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err("the bytes are neither a PNG nor a JPEG image".to_owned());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(SOURCE_SIDE_MAX);
    limits.max_image_height = Some(SOURCE_SIDE_MAX);
    limits.max_alloc = Some(DECODE_BYTES_MAX);
    let mut reader = reader;
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(format!("the image has {width} x {height} pixels; at most {PIXELS_MAX} are decoded"));
    }
    let orientation = decoder.orientation().map_err(broken)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(broken)?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn by_channel(bytes: &[u8], channels: usize) -> Vec<u8> {
    (0..channels).flat_map(|channel| bytes.iter().skip(channel).step_by(channels).copied()).collect()
}
