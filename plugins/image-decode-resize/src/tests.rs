use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use tiegel_plugin::{Batch, Column, DType, Field, Result, TextBuilder};

use crate::ImageDecodeResize;

fn files(rows: &[Option<Vec<u8>>]) -> Batch {
    let mut builder = TextBuilder::with_capacity(rows.len(), 0);
    rows.iter().for_each(|file| builder.push_bytes(file.as_deref()).unwrap());
    let field = Field::new("photo", DType::Binary).nullable(true);
    Batch::builder().column(field, builder.finish(), rows.len()).build().unwrap()
}

fn run(config: &str, rows: &[Option<Vec<u8>>]) -> Result<Batch> {
    let input = files(rows);
    let mut plugin: ImageDecodeResize = tiegel_plugin::configure(config, input.schema(), None)?;
    tiegel_plugin::transform(&mut plugin, input)
}

fn encode(image: RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    DynamicImage::from(image).write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// Two by one pixels: red, then green.
fn red_and_green() -> Vec<u8> {
    let mut image = RgbImage::new(2, 1);
    image.put_pixel(0, 0, Rgb([255, 0, 0]));
    image.put_pixel(1, 0, Rgb([0, 255, 0]));
    encode(image, ImageFormat::Png)
}

#[test]
fn pixels_come_in_either_layout() {
    let bytes = |layout: &str| {
        let config = format!(r#"{{"width": 2, "height": 1, "dtype": "uint8", "layout": "{layout}"}}"#);
        run(&config, &[Some(red_and_green())]).unwrap().column(0).values::<u8>().unwrap().into_owned()
    };
    assert_eq!(bytes("hwc"), [255, 0, 0, 0, 255, 0]);
    assert_eq!(bytes("chw"), [255, 0, 0, 255, 0, 0]);
    let config = r#"{"width": 2, "height": 1, "layout": "chw", "mean": [0.5, 0, 0.25], "std": [0.5, 1, 0.5]}"#;
    let output = run(config, &[Some(red_and_green())]).unwrap();
    assert_eq!(&*output.column(0).values::<f32>().unwrap(), [1.0, -1.0, 0.0, 1.0, -0.5, -0.5]);
}

#[test]
fn a_jpeg_of_one_colour_stays_near_it_at_any_size() {
    let image = RgbImage::from_pixel(37, 21, Rgb([200, 100, 50]));
    let output = run(r#"{"width": 8, "height": 8}"#, &[Some(encode(image, ImageFormat::Jpeg)), None]).unwrap();
    let lists = output.column(0).lists::<f32>().unwrap();
    for pixel in lists.get(0).unwrap().chunks(3) {
        for (found, expected) in pixel.iter().zip([200.0, 100.0, 50.0]) {
            assert!((found * 255.0 - expected).abs() < 4.0, "{found} is not {expected} of 255");
        }
    }
    assert_eq!(lists.get(1), None);
    assert!(output.column(0).values::<f32>().unwrap()[8 * 8 * 3..].iter().all(|value| *value == 0.0));
}

#[test]
fn a_crop_keeps_the_proportions() {
    // Green with red sides, which the crop cuts off and stretching keeps.
    let mut image = RgbImage::from_pixel(40, 10, Rgb([0, 255, 0]));
    for (x, _, pixel) in image.enumerate_pixels_mut() {
        if !(10..30).contains(&x) {
            *pixel = Rgb([255, 0, 0]);
        }
    }
    let file = encode(image, ImageFormat::Png);
    let reds = |fit: &str| {
        let config = format!(r#"{{"width": 4, "height": 4, "dtype": "uint8", "fit": "{fit}"}}"#);
        let output = run(&config, &[Some(file.clone())]).unwrap();
        let column = output.column(0);
        column.values::<u8>().unwrap().iter().step_by(3).filter(|red| **red > 128).count()
    };
    assert_eq!((reds("stretch"), reds("crop")), (8, 0));
}

#[test]
fn gray_is_one_number_a_pixel() {
    let image = RgbImage::from_pixel(3, 3, Rgb([90, 90, 90]));
    let file = encode(image, ImageFormat::Png);
    let output = run(r#"{"width": 2, "height": 2, "channels": "gray", "dtype": "uint8"}"#, &[Some(file)]).unwrap();
    assert_eq!(&*output.column(0).values::<u8>().unwrap(), [90; 4]);
    assert_eq!(output.schema().fields[0].width, 4);
}

#[test]
fn broken_images_are_refused_by_row_or_become_null() {
    let (good, mut cut) = (red_and_green(), red_and_green());
    cut.truncate(40);
    for bad in [b"GIF89a".to_vec(), Vec::new(), cut] {
        let rows = [Some(good.clone()), Some(bad)];
        let error = run(r#"{"width": 2, "height": 1}"#, &rows).unwrap_err();
        assert_eq!((error.column.as_deref(), error.row), (Some("photo"), Some(1)), "{error}");
        let output = run(r#"{"width": 2, "height": 1, "broken": "null"}"#, &rows).unwrap();
        assert_eq!((output.column(0).is_null(0), output.column(0).is_null(1)), (false, true));
    }
}

#[test]
fn a_small_file_of_a_huge_image_is_refused_before_it_is_decoded() {
    // A PNG's head says its dimensions: they are set to 16,000 x 16,000 with the checksum to go with them.
    let mut file = red_and_green();
    file[16..20].copy_from_slice(&16_000u32.to_be_bytes());
    file[20..24].copy_from_slice(&16_000u32.to_be_bytes());
    let checksum = crc32(&file[12..29]);
    file[29..33].copy_from_slice(&checksum.to_be_bytes());
    let error = run("{}", &[Some(file)]).unwrap_err();
    assert!(error.message.contains("16000 x 16000 pixels; at most 16777216 are decoded"), "{error}");
}

/// The checksum of PNG chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn settings_that_do_not_fit_are_refused() {
    let refused = |config: &str| run(config, &[]).unwrap_err().message;
    assert!(refused(r#"{"width": 4096, "height": 4096}"#).starts_with("width and height are 1 to 4096"));
    assert!(refused(r#"{"std": [0]}"#).starts_with("mean and std are one number"));
    assert_eq!(refused(r#"{"dtype": "uint8", "mean": [0.5]}"#), "mean and std are for float32");
    let texts = Batch::builder().column(Field::new("s", DType::Uint8), Column::from_values(&[1u8]), 1).build().unwrap();
    let error = tiegel_plugin::configure::<ImageDecodeResize>("{}", texts.schema(), None).err().unwrap();
    assert_eq!(error.to_string(), "image-decode-resize reads binary, not uint8 (column 's')");
}
