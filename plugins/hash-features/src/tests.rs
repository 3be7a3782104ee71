use tiegel_plugin::{Batch, Result};

use crate::HashFeatures;

fn run(config: &str, input: Batch) -> Result<Vec<Vec<f32>>> {
    let mut plugin: HashFeatures = tiegel_plugin::configure(config, input.schema(), None)?;
    let output = tiegel_plugin::transform(&mut plugin, input)?;
    let lists = output.column(0).lists::<f32>()?;
    Ok(lists.iter().map(|row| row.unwrap().to_vec()).collect())
}

fn entries(row: &[f32]) -> Vec<(usize, f32)> {
    row.iter().copied().enumerate().filter(|(_, value)| *value != 0.0).collect()
}

/// MurmurHash3_x86_32 by its definition (Appleby, 2011), for keys of whole words.
fn murmur3(key: &[u8], seed: u32) -> i32 {
    assert!(key.len().is_multiple_of(4));
    let mut h = seed;
    for word in key.chunks(4) {
        let k = u32::from_le_bytes(word.try_into().unwrap()).wrapping_mul(0xcc9e_2d51).rotate_left(15);
        h = (h ^ k.wrapping_mul(0x1b87_3593)).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    h ^= key.len() as u32;
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    (h ^ h >> 16).cast_signed()
}

#[test]
fn slot_and_sign_are_those_of_the_hash() {
    let input =
        Batch::builder().utf8("city", [Some("Rom"), Some("Bonn567"), None]).float64("mass", [Some(2.5), None, None]);
    let rows = run(r#"{"width": 1000, "seed": 7}"#, input.build().unwrap()).unwrap();
    let expected = |key: &[u8], value: f32| {
        let hash = murmur3(key, 7);
        (hash.unsigned_abs() as usize % 1_000, if hash < 0 { -value } else { value })
    };
    let mut first = vec![expected(b"city=Rom", 1.0), expected(b"mass", 2.5)];
    first.sort_by_key(|(slot, _)| *slot);
    assert_eq!(entries(&rows[0]), first);
    assert_eq!(entries(&rows[1]), [expected(b"city=Bonn567", 1.0)]);
    assert_eq!(entries(&rows[2]), []);
}

#[test]
fn entries_of_one_slot_add_up() {
    let input =
        Batch::builder().utf8("a", [Some("x")]).int32("b", [Some(3)]).boolean("c", [Some(true)]).build().unwrap();
    assert_eq!(run(r#"{"width": 1, "signed": false}"#, input).unwrap(), [[5.0]]);
}

#[test]
fn integers_named_as_categories_are_codes() {
    let codes = |values| Batch::builder().int64("zip", values).build().unwrap();
    let config = r#"{"width": 64, "categories": ["zip"], "signed": false}"#;
    let rows = run(config, codes([Some(12), Some(13)])).unwrap();
    assert_eq!((entries(&rows[0]).len(), entries(&rows[0])[0].1), (1, 1.0));
    assert_ne!(rows[0], rows[1]);
}

#[test]
fn errors_name_column_and_row() {
    let input = || Batch::builder().float64("x", [Some(1.0), Some(f64::NAN)]).build().unwrap();
    let error = run("{}", input()).unwrap_err();
    assert_eq!(error.to_string(), "a value is not finite; filter or impute it first (column 'x', row 1)");
    let error = run(r#"{"categories": ["x"]}"#, input()).unwrap_err();
    assert_eq!(error.to_string(), "floats are no categories (column 'x')");
    let error = run(r#"{"categories": ["y"]}"#, input()).unwrap_err();
    assert_eq!(error.to_string(), "categories names a column that is not read (column 'y')");
    assert_eq!(run(r#"{"width": 0}"#, input()).unwrap_err().to_string(), "width is 1 to 16384");
}
