use std::sync::Arc;

use arrow::array::{ArrayData, ArrayRef, BinaryArray, BooleanArray, RecordBatch, StringArray, make_array};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::DataType;
use proptest::prelude::*;
use serde_json::{Value, json};
use tiegel_engine::{arrow_field, arrow_schema};
use tiegel_types::{DType, Field, Schema};

use super::*;

const WIDTH: u32 = 3;

fn field(name: &str, dtype: DType, nullable: bool, width: u32) -> Field {
    Field { name: name.to_owned(), dtype, nullable, width }
}

/// Every type that a table stores, nullable and wide where it can be.
fn every_field() -> Vec<Field> {
    let stored = DType::ALL.into_iter().filter(|d| *d != DType::Bfloat16);
    let of = |dtype: DType| {
        let wide = dtype.fixed_bytes().map(|_| field(&format!("{dtype}_wide"), dtype, true, WIDTH));
        [Some(field(dtype.as_str(), dtype, true, 1)), Some(field(&format!("{dtype}_full"), dtype, false, 1)), wide]
    };
    stored.flat_map(of).flatten().collect()
}

/// Rows as bits: any pattern is a value of any fixed type, so NaN payloads, infinities and far years come too.
#[derive(Clone, Debug)]
struct Row {
    bits: [u64; WIDTH as usize],
    text: String,
    present: bool,
}

fn row() -> impl Strategy<Value = Row> {
    let bits = prop_oneof![
        any::<[u64; 3]>(),
        any::<[f64; 3]>().prop_map(|f| f.map(f64::to_bits)),
        (0..3_u64).prop_map(|b| [b; 3])
    ];
    (bits, any::<String>(), any::<bool>()).prop_map(|(bits, text, present)| Row { bits, text, present })
}

fn array(field: &Field, rows: &[Row]) -> ArrayRef {
    let nulls = field.nullable.then(|| NullBuffer::from_iter(rows.iter().map(|r| r.present)));
    let wide = field.width as usize;
    let Some(bytes) = field.dtype.fixed_bytes() else {
        let texts = rows.iter().map(|r| r.text.as_str());
        return match field.dtype {
            DType::Boolean => Arc::new(BooleanArray::new(rows.iter().map(|r| r.bits[0] % 2 == 0).collect(), nulls)),
            DType::Binary => {
                let (offsets, values, _) = BinaryArray::from_iter_values(texts).into_parts();
                Arc::new(BinaryArray::new(offsets, values, nulls))
            }
            _ => {
                let (offsets, values, _) = StringArray::from_iter_values(texts).into_parts();
                Arc::new(StringArray::new(offsets, values, nulls))
            }
        };
    };
    let data: Vec<u8> =
        rows.iter().flat_map(|r| &r.bits[..wide]).flat_map(|b| b.to_le_bytes()[..bytes].to_vec()).collect();
    let data_type = arrow_field(field).data_type().clone();
    let item = |data_type: DataType, nulls: Option<NullBuffer>| {
        let builder = ArrayData::builder(data_type).len(rows.len() * wide).nulls(nulls);
        builder.add_buffer(Buffer::from_slice_ref(&data)).build().unwrap()
    };
    match &data_type {
        DataType::FixedSizeList(of, _) => {
            let child = item(of.data_type().clone(), None);
            let list = ArrayData::builder(data_type.clone()).len(rows.len()).nulls(nulls).add_child_data(child);
            make_array(list.build().unwrap())
        }
        _ => make_array(item(data_type, nulls)),
    }
}

fn decoder(fields: Vec<Field>) -> Decoder {
    Decoder::new(Schema::new(fields)).unwrap()
}

fn rows_of(value: Value) -> Input {
    Input::Rows(serde_json::from_value(value).unwrap())
}

proptest! {
    #[test]
    fn any_stored_rows_come_back_bit_by_bit_through_json(rows in prop::collection::vec(row(), 1..20)) {
        let schema = Schema::new(every_field());
        let arrays = schema.fields.iter().map(|f| array(f, &rows)).collect();
        let batch = RecordBatch::try_new(arrow_schema(&schema), arrays).unwrap();
        let text = serde_json::to_string(&PredictRequest { rows: encode_rows(&batch).unwrap() }).unwrap();
        let request: PredictRequest = serde_json::from_str(&text).unwrap();
        let decoded = Decoder::new(schema).unwrap().decode(&Input::Rows(request.rows)).unwrap();
        prop_assert_eq!(decoded.schema(), batch.schema());
        for (field, (a, b)) in batch.schema().fields().iter().zip(batch.columns().iter().zip(decoded.columns())) {
            prop_assert!(a.to_data() == b.to_data(), "column {}: {:?} became {:?}", field.name(), a, b);
        }
    }
}

#[test]
fn a_column_is_taken_in_each_of_its_forms() {
    let decoder = decoder(vec![
        field("at", DType::TimestampUs, false, 1),
        field("day", DType::Date32, false, 1),
        field("n", DType::Int64, false, 1),
        field("x", DType::Float32, true, 1),
    ]);
    let forms = rows_of(json!([
        {"at": "2013-01-31T05:00:00.000001+01:00", "day": "1970-01-02", "n": 9223372036854775807_i64, "x": "-Infinity"},
        {"at": 1359604800000001_i64, "day": 1, "n": 9223372036854775807_i64, "x": null},
        {"at": 1359604800000001_i64, "day": 1.0, "n": 9223372036854775807_i64},
    ]));
    let batch = decoder.decode(&forms).unwrap();
    for column in ["at", "day", "n"] {
        let column = batch.column_by_name(column).unwrap();
        assert_eq!(column.slice(0, 1).to_data(), column.slice(1, 1).to_data());
        assert_eq!(column.slice(1, 1).to_data(), column.slice(2, 1).to_data());
    }
    assert_eq!(encode(batch.column(2), 0), Some(json!(i64::MAX)));
    assert_eq!(encode(batch.column(3), 0), Some(json!("-Infinity")));
    assert_eq!(batch.column(3).null_count(), 2);
}

#[test]
fn each_wrong_value_is_answered_with_row_column_and_what_was_expected() {
    let fields = vec![
        field("dep_time", DType::Int32, true, 1),
        field("delay", DType::Float32, true, 1),
        field("at", DType::TimestampUs, true, 1),
        field("day", DType::Date32, true, 1),
        field("carrier", DType::Utf8, true, 1),
        field("late", DType::Boolean, true, 1),
        field("raw", DType::Binary, true, 1),
        field("vector", DType::Float64, true, 2),
    ];
    let decoder = decoder(fields);
    let cases = [
        (json!({"dep_time": 2.5}), "column 'dep_time': expected an integer from -2147483648 to 2147483647, got 2.5"),
        (json!({"dep_time": 2147483648_u64}), "expected an integer from -2147483648 to 2147483647, got 2147483648"),
        (json!({"dep_time": "517"}), "got \"517\""),
        (json!({"delay": 1e300}), "column 'delay': expected a number in the range of float32, or \"NaN\""),
        (json!({"delay": "nan"}), "got \"nan\""),
        (json!({"at": "2013-01-01 05:00"}), "column 'at': expected an RFC 3339 time"),
        (json!({"at": "2013-01-01T05:00:00.1234567Z"}), "at most 6 decimals"),
        (json!({"day": "01/02/2013"}), "column 'day': expected a date such as \"2013-01-31\""),
        (json!({"carrier": 7}), "column 'carrier': expected a string, got 7"),
        (json!({"late": 1}), "column 'late': expected true or false, got 1"),
        (json!({"raw": "%%"}), "column 'raw': expected bytes as base64 text, got \"%%\""),
        (json!({"vector": [1.0]}), "column 'vector': expected 2 items, got 1"),
        (json!({"vector": [1.0, "a"]}), "column 'vector': item 1: expected a number"),
        (json!({"vector": 1.0}), "column 'vector': expected an array of 2 items"),
        (json!({"carrier": ["AA"]}), "expected a string, got an array of 1"),
        (json!({"dep_tiem": 5}), "row 1: 'dep_tiem' is not an input of this endpoint; did you mean 'dep_time'?"),
        (json!({"humidity": 5}), "its inputs are dep_time, delay, at"),
    ];
    for (row, expected) in cases {
        let error = decoder.decode(&rows_of(json!([{}, row]))).unwrap_err();
        assert!(matches!(&error, OpError::Invalid { code: "invalid_rows", .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(expected) && message.starts_with("row 1"), "{row}: {message}");
    }
}

#[test]
fn a_column_without_nulls_must_be_there_and_a_misspelt_one_is_named_first() {
    let decoder = decoder(vec![field("dep_time", DType::Int32, false, 1)]);
    let message = |rows| decoder.decode(&rows_of(rows)).unwrap_err().to_string();
    assert!(message(json!([{}])).contains("row 0, column 'dep_time': the column is missing and has no null"));
    assert!(message(json!([{"dep_time": null}])).contains("null is not allowed: expected an integer"));
    assert!(message(json!([{"deptime": 5}])).contains("did you mean 'dep_time'?"));
}

#[test]
fn too_many_rows_are_a_limit_and_none_are_an_empty_batch() {
    let decoder = decoder(vec![field("x", DType::Int32, true, 1)]);
    let rows = vec![JsonRow::new(); limits::PREDICT_ROWS_MAX + 1];
    assert!(matches!(decoder.decode(&Input::Rows(rows)), Err(OpError::Limit(m)) if m.contains("at most 10000")));
    assert_eq!(decoder.decode(&Input::Rows(vec![])).unwrap().num_rows(), 0);
}

#[test]
fn a_small_request_cannot_make_a_wide_column_allocate_without_bound() {
    let decoder = decoder(vec![field("x", DType::Float64, true, 1 << 20)]);
    let rows = vec![JsonRow::new(); 100];
    assert!(matches!(decoder.decode(&Input::Rows(rows)), Err(OpError::Limit(_))));
}

#[test]
fn a_column_that_json_cannot_carry_is_refused_when_the_bundle_is_loaded() {
    let wrong = Decoder::new(Schema::new(vec![field("x", DType::Bfloat16, true, 1)]));
    assert!(wrong.err().unwrap().to_string().contains("column 'x' is bfloat16"));
}

fn column(name: &str, values: Value, valid: Option<Vec<bool>>) -> InputColumn {
    let Value::Array(values) = values else { panic!("an array") };
    InputColumn { name: name.to_owned(), values, valid }
}

#[test]
fn columns_and_rows_give_the_same_batch() {
    let decoder = decoder(vec![
        field("n", DType::Uint64, true, 1),
        field("at", DType::TimestampUs, true, 1),
        field("v", DType::Int16, true, 2),
    ]);
    let rows = rows_of(json!([{"n": u64::MAX, "at": 5, "v": [1, 2]}, {"at": null, "v": null}]));
    let columns = vec![
        column("v", json!([1, 2, null, null]), None),
        column("n", json!([u64::MAX, 7]), Some(vec![true, false])),
        column("at", json!([5, null]), None),
    ];
    assert_eq!(decoder.decode(&Input::Columns { rows: 2, columns }).unwrap(), decoder.decode(&rows).unwrap());
}

#[test]
fn each_wrong_column_is_answered_with_its_name() {
    let decoder = decoder(vec![field("n", DType::Int8, false, 1), field("at", DType::TimestampUs, true, 1)]);
    let cases = [
        (vec![column("n", json!([1, 2, 3]), None)], "input 'n' has 3 values; its shape needs 2"),
        (vec![column("n", json!([1, 200]), None)], "input 'n', row 1: expected an integer from -128 to 127, got 200"),
        (vec![column("n", json!([1, 2]), Some(vec![true]))], "input 'n' has 2 rows and its validity 1"),
        (vec![column("n", json!([1, null]), None)], "input 'n', row 1: null is not allowed"),
        (vec![column("n", json!([1, 2]), None), column("n", json!([1, 2]), None)], "input 'n' is given twice"),
        (vec![], "input 'n': the column is missing"),
        (vec![column("m", json!([1, 2]), None)], "'m' is not an input; did you mean 'n'?"),
        (
            vec![column("n", json!([1, 2]), None), column("at", json!(["2013-01-01T00:00:00Z", 1]), None)],
            "input 'at', row 0: expected microseconds since 1970-01-01T00:00:00Z as an integer",
        ),
    ];
    for (columns, expected) in cases {
        let message = decoder.decode(&Input::Columns { rows: 2, columns }).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
