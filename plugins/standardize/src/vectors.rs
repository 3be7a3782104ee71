//! The cases that every language's `standardize` passes; `sdk/vectors/README.md` says what is in them.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use serde::Deserialize;
use tiegel_plugin::bitmap::count_ones;
use tiegel_plugin::{
    Batch, Column, DType, Estimator, Field, Native, NumberBuilder, PluginError, Result, Schema, TextBuilder, Transform,
};

use crate::Standardize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "about")]
    _about: String,
    schema: Vec<FieldCase>,
    config: serde_json::Value,
    fit: Option<FitCase>,
    transform: Option<TransformCase>,
    error: Option<ErrorCase>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct FieldCase {
    name: String,
    dtype: String,
    nullable: bool,
    width: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FitCase {
    chunks: Vec<Vec<BatchCase>>,
    state: Option<Vec<Entry>>,
    error: Option<ErrorCase>,
}

#[derive(Deserialize)]
struct BatchCase {
    rows: usize,
    columns: Vec<Vec<Option<String>>>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    r#type: String,
    value: String,
    tolerance: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransformCase {
    state: String,
    state_version: u32,
    batches: Vec<BatchCase>,
    output: Option<OutputCase>,
    error: Option<ErrorCase>,
}

#[derive(Deserialize)]
struct OutputCase {
    schema: Vec<FieldCase>,
    batches: Vec<OutputBatch>,
}

#[derive(Deserialize)]
struct OutputBatch {
    rows: usize,
    columns: Vec<OutputColumn>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct OutputColumn {
    data: String,
    validity: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct ErrorCase {
    code: String,
    column: Option<String>,
    row: Option<u32>,
}

#[test]
fn every_vector_is_met() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk/vectors/standardize");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let case: Case = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        check(&name, &case);
    }
}

fn check(name: &str, case: &Case) {
    let schema = schema_of(&case.schema);
    if let Some(expected) = &case.error {
        let found = configure(case, &schema).err().map(error_of);
        return assert_eq!(found.as_ref(), Some(expected), "{name}");
    }
    if let Some(fit) = &case.fit {
        match (fitted(case, fit, &schema), &fit.error) {
            (Ok(state), None) => check_state(name, &state, fit.state.as_deref().unwrap()),
            (found, expected) => assert_eq!(found.err().map(error_of).as_ref(), expected.as_ref(), "{name}: fit"),
        }
    }
    if let Some(transform) = &case.transform {
        match (transformed(case, transform, &schema), &transform.error) {
            (Ok(found), None) => check_output(name, &found, transform.output.as_ref().unwrap()),
            (found, expected) => assert_eq!(found.err().map(error_of).as_ref(), expected.as_ref(), "{name}: transform"),
        }
    }
}

fn configure(case: &Case, schema: &Schema) -> Result<Standardize> {
    tiegel_plugin::configure(&case.config.to_string(), schema, None)
}

/// Each chunk on an instance of its own; one more merges their partials.
fn fitted(case: &Case, fit: &FitCase, schema: &Schema) -> Result<Vec<u8>> {
    let mut last = configure(case, schema)?;
    for chunk in &fit.chunks {
        let mut one = configure(case, schema)?;
        chunk.iter().try_for_each(|batch| one.partial_fit(&batch_of(schema, batch), None))?;
        last.merge(&one.partial()?)?;
    }
    last.finish()
}

fn transformed(case: &Case, transform: &TransformCase, schema: &Schema) -> Result<(Schema, Vec<Batch>)> {
    let mut plugin = configure(case, schema)?;
    plugin.load(&from_hex(&transform.state), transform.state_version)?;
    let batches = transform.batches.iter().map(|batch| tiegel_plugin::transform(&mut plugin, batch_of(schema, batch)));
    let batches = batches.collect::<Result<_>>()?;
    Ok((plugin.output().unwrap(), batches))
}

fn check_state(name: &str, state: &[u8], entries: &[Entry]) {
    let mut rest = state;
    for Entry { name: entry, r#type, value, tolerance } in entries {
        let mut take = |bytes: usize| {
            let (taken, left) = rest.split_at_checked(bytes).unwrap_or_else(|| panic!("{name}: no {entry}"));
            rest = left;
            taken
        };
        match r#type.as_str() {
            "u8" => assert_eq!(take(1)[0].to_string(), *value, "{name}: {entry}"),
            "u32" => assert_eq!(u32::from_bytes(take(4)).to_string(), *value, "{name}: {entry}"),
            "u64" => assert_eq!(u64::from_bytes(take(8)).to_string(), *value, "{name}: {entry}"),
            "f64" => {
                let (found, expected) = (f64::from_bytes(take(8)), value.parse::<f64>().unwrap());
                let tolerance = tolerance.as_ref().map_or(0.0, |tolerance| tolerance.parse().unwrap());
                assert!((found - expected).abs() <= tolerance, "{name}: {entry} is {found}, not {expected}");
            }
            other => panic!("{name}: {other} is no type of a state"),
        }
    }
    assert!(rest.is_empty(), "{name}: {} bytes too many", rest.len());
}

fn check_output(name: &str, (schema, batches): &(Schema, Vec<Batch>), expected: &OutputCase) {
    assert_eq!(*schema, schema_of(&expected.schema), "{name}");
    assert_eq!(batches.len(), expected.batches.len(), "{name}");
    for (found, expected) in batches.iter().zip(&expected.batches) {
        let rows = found.rows();
        assert_eq!(rows, expected.rows, "{name}");
        let columns: Vec<_> =
            found.clone().into_columns().into_iter().map(|column| seen_by_host(column, rows)).collect();
        assert_eq!(columns, expected.columns, "{name}");
    }
}

/// A validity without a null is none, and bits after the last row are zero.
fn seen_by_host(column: Column, rows: usize) -> OutputColumn {
    let validity = column.validity.filter(|bits| count_ones(bits, rows) < rows).map(|mut bits| {
        if let (Some(last), tail @ 1..) = (bits.last_mut(), rows % 8) {
            *last &= (1 << tail) - 1;
        }
        to_hex(&bits)
    });
    OutputColumn { data: to_hex(&column.data), validity }
}

fn error_of(error: PluginError) -> ErrorCase {
    let words = format!("{:?}", error.code);
    let kebab = words.chars().enumerate().flat_map(|(at, c)| {
        let hyphen = (at > 0 && c.is_ascii_uppercase()).then_some('-');
        hyphen.into_iter().chain([c.to_ascii_lowercase()])
    });
    let code = kebab.collect::<String>().trim_start_matches("error-code::-").to_owned();
    ErrorCase { code, column: error.column, row: error.row }
}

fn schema_of(fields: &[FieldCase]) -> Schema {
    let field =
        |field: &FieldCase| Field::new(&field.name, dtype_of(&field.dtype)).nullable(field.nullable).width(field.width);
    Schema::new(fields.iter().map(field).collect())
}

fn dtype_of(name: &str) -> DType {
    use DType::{Float32, Float64, Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, Utf8};
    let all = [Int8, Int16, Int32, Int64, Uint8, Uint16, Uint32, Uint64, Float32, Float64, Utf8];
    all.into_iter().find(|dtype| dtype.as_str() == name).unwrap_or_else(|| panic!("a case has a column of {name}"))
}

fn batch_of(schema: &Schema, batch: &BatchCase) -> Batch {
    let columns = schema.fields.iter().zip(&batch.columns).map(|(field, values)| column_of(field.dtype, values));
    Batch::new(Rc::new(schema.clone()), batch.rows, columns.collect())
}

fn column_of(dtype: DType, values: &[Option<String>]) -> Column {
    match dtype {
        DType::Int8 => parsed::<i8>(values),
        DType::Int16 => parsed::<i16>(values),
        DType::Int32 => parsed::<i32>(values),
        DType::Int64 => parsed::<i64>(values),
        DType::Uint8 => parsed::<u8>(values),
        DType::Uint16 => parsed::<u16>(values),
        DType::Uint32 => parsed::<u32>(values),
        DType::Uint64 => parsed::<u64>(values),
        DType::Float32 => parsed::<f32>(values),
        DType::Float64 => parsed::<f64>(values),
        _ => {
            let mut texts = TextBuilder::with_capacity(values.len(), 0);
            values.iter().for_each(|value| texts.push(value.as_deref()).unwrap());
            texts.finish()
        }
    }
}

fn parsed<T: Native + std::str::FromStr<Err: std::fmt::Debug>>(values: &[Option<String>]) -> Column {
    let mut numbers = NumberBuilder::<T>::with_capacity(values.len());
    values.iter().for_each(|value| numbers.push(value.as_ref().map(|value| value.parse().unwrap())));
    numbers.finish()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
